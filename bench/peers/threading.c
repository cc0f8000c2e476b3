// The rows of the threading suite in C with POSIX threads.
// Build: cc -O2 -pthread threading.c; run: ./a.out ROW; prints {"name", "ns"}.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphores[2];
static volatile long counter;
static atomic_int arrived;
static double times[2];
static int turn;

enum { INCREMENTS = 2000000, TRIPS = 4000, WARM_TRIPS = 400 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

// Where the scheduler puts two threads changes what they cost each other
// several times over, from run to run; so each gets a core of its own.
static void pin(int core) {
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
#endif
}

static void *nothing(void *arg) { return arg; }

static void *wait_for_ever(void *arg) {
  sem_wait(&semaphores[0]);
  return arg;
}

static double lock_pairs(long n) {
  double start = now();
  for (long i = 0; i < n; i++) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
  }
  return (now() - start) / n;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// The median of many short runs, as in the programs of Deno.
static double lock_pair(void) {
  // glibc skips the atomic instructions while a process has one thread, which
  // is not what a lock is for: with a second thread they are there.
  pthread_t other;
  sem_init(&semaphores[0], 0, 0);
  pthread_create(&other, NULL, wait_for_ever, NULL);
  lock_pairs(1000000);
  enum { RUNS = 51 };
  double ns[RUNS];
  for (int i = 0; i < RUNS; i++) ns[i] = lock_pairs(20000);
  qsort(ns, RUNS, sizeof *ns, ascending);
  sem_post(&semaphores[0]);
  pthread_join(other, NULL);
  return ns[RUNS / 2];
}

static void increments(long n) {
  for (long i = 0; i < n; i++) {
    pthread_mutex_lock(&mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
  }
}

static void *increment_worker(void *arg) {
  double *took = arg;
  pin(took == &times[0] ? 0 : 1);
  increments(INCREMENTS / 10);
  atomic_fetch_add(&arrived, 1);
  while (atomic_load(&arrived) < 2) {}
  double start = now();
  increments(INCREMENTS);
  *took = now() - start;
  return NULL;
}

// Both start together, so the slower one's time is that of the two.
static double increment(void) {
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    pthread_create(&threads[i], NULL, increment_worker, &times[i]);
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  if (counter != 2L * (INCREMENTS + INCREMENTS / 10)) return -1;
  return (times[0] > times[1] ? times[0] : times[1]) / (2.0 * INCREMENTS);
}

static double start_join(void) {
  enum { THREADS = 1000 };
  double start = 0;
  for (int i = -THREADS / 10; i < THREADS; i++) {
    if (i == 0) start = now();
    pthread_t thread;
    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
  }
  return (now() - start) / THREADS;
}

static void pass_condition(int me) {
  pthread_mutex_lock(&mutex);
  while (turn != me) pthread_cond_wait(&condition, &mutex);
  turn = 1 - me;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
}

static void pass_semaphore(int me) {
  sem_wait(&semaphores[me]);
  sem_post(&semaphores[1 - me]);
}

static void (*pass)(int);

static void *player(void *arg) {
  int me = arg == &times[0] ? 0 : 1;
  double start = 0;
  pin(me);
  for (int i = -WARM_TRIPS; i < TRIPS; i++) {
    if (i == 0) start = now();
    pass(me);
  }
  times[me] = now() - start;
  return NULL;
}

static double round_trip(void (*how)(int)) {
  pass = how;
  sem_init(&semaphores[0], 0, 1);
  sem_init(&semaphores[1], 0, 0);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    pthread_create(&threads[i], NULL, player, &times[i]);
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  return times[0] / TRIPS;
}

int main(int argc, char **argv) {
  const char *row = argc > 1 ? argv[1] : "";
  double ns = -1;
  if (!strcmp(row, "lock-pair")) ns = lock_pair();
  if (!strcmp(row, "increment")) ns = increment();
  if (!strcmp(row, "start-join")) ns = start_join();
  if (!strcmp(row, "condition")) ns = round_trip(pass_condition);
  if (!strcmp(row, "semaphore")) ns = round_trip(pass_semaphore);
  if (ns < 0) {
    fprintf(stderr, "Cannot measure the row: unknown or wrong, received %s\n", row);
    return 1;
  }
  printf("{\"name\":\"%s\",\"ns\":%.2f}\n", row, ns);
  return 0;
}
