// The rows of the threading suite in Java.
// Build: javac Threading.java; run: java Threading ROW; prints {"name", "ns"}.

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

public class Threading {
  static final int INCREMENTS = 1_000_000, TRIPS = 4000, WARM_TRIPS = 400;
  static final Object monitor = new Object();
  static final ReentrantLock lock = new ReentrantLock();
  static final ReentrantReadWriteLock readWrite = new ReentrantReadWriteLock();
  static final Condition condition = lock.newCondition();
  static final Semaphore[] semaphores = {new Semaphore(1), new Semaphore(0)};
  static final AtomicInteger arrived = new AtomicInteger();
  static final ConcurrentHashMap<String, Integer> map = new ConcurrentHashMap<>();
  static final String[] keys = new String[64];
  static long counter;
  static long sum;
  static int turn;

  interface Step {
    void run(int i) throws Exception;
  }

  // Where the scheduler puts two threads changes what they cost each other
  // several times over, from run to run; so each gets a core of its own.
  static void pin(int core) throws InterruptedException {
    try {
      Path self = Files.readSymbolicLink(Path.of("/proc/thread-self"));
      String id = self.getFileName().toString();
      new ProcessBuilder("taskset", "-cp", "" + core, id).start().waitFor();
    } catch (IOException e) {
      // Not Linux, or no taskset: then the scheduler decides.
    }
  }

  static void pairsSynchronized(int n) {
    for (int i = 0; i < n; i++) {
      synchronized (monitor) {
        counter++;
      }
    }
  }

  static void pairsReentrant(int n) {
    for (int i = 0; i < n; i++) {
      lock.lock();
      try {
        counter++;
      } finally {
        lock.unlock();
      }
    }
  }

  static void pairsRead(int n) {
    for (int i = 0; i < n; i++) {
      readWrite.readLock().lock();
      readWrite.readLock().unlock();
    }
  }

  // Four threads start together; so the slowest one's time is that of all.
  static double readers() throws Exception {
    int count = 4;
    long[] took = new long[count];
    Thread[] threads = new Thread[count];
    for (int t = 0; t < count; t++) {
      int me = t;
      threads[t] = new Thread(() -> {
        for (int i = 0; i < 10; i++) pairsRead(INCREMENTS / 10);
        arrived.incrementAndGet();
        while (arrived.get() < count) Thread.onSpinWait();
        long start = System.nanoTime();
        pairsRead(INCREMENTS);
        took[me] = System.nanoTime() - start;
      });
      threads[t].start();
    }
    for (Thread thread : threads) thread.join();
    long most = 0;
    for (long each : took) most = Math.max(most, each);
    return most / ((double) count * INCREMENTS);
  }

  static void mapGet(int n) {
    for (int i = 0; i < n; i++) sum += map.get(keys[i & 63]);
  }

  static void mapSet(int n) {
    for (int i = 0; i < n; i++) map.put(keys[i & 63], i);
  }

  // Ten short runs first, so that the compiled code is what is measured.
  static double perCall(Step loop, int n) throws Exception {
    for (int i = 0; i < 10; i++) loop.run(n / 10);
    long start = System.nanoTime();
    loop.run(n);
    return (double) (System.nanoTime() - start) / n;
  }

  // Both start together, so the slower one's time is that of the two.
  static double increment(Step loop) throws Exception {
    long[] took = new long[2];
    Thread[] threads = new Thread[2];
    for (int t = 0; t < 2; t++) {
      int me = t;
      threads[t] = new Thread(() -> {
        try {
          pin(me);
          for (int i = 0; i < 10; i++) loop.run(INCREMENTS / 10);
          arrived.incrementAndGet();
          while (arrived.get() < 2) Thread.onSpinWait();
          long start = System.nanoTime();
          loop.run(INCREMENTS);
          took[me] = System.nanoTime() - start;
        } catch (Exception e) {
          throw new RuntimeException(e);
        }
      });
      threads[t].start();
    }
    for (Thread thread : threads) thread.join();
    if (counter != 4L * INCREMENTS) throw new IllegalStateException("lost increments");
    return Math.max(took[0], took[1]) / (2.0 * INCREMENTS);
  }

  static double startJoin() throws Exception {
    int n = 1000;
    long start = 0;
    for (int i = -n / 10; i < n; i++) {
      if (i == 0) start = System.nanoTime();
      Thread thread = new Thread(() -> {});
      thread.start();
      thread.join();
    }
    return (double) (System.nanoTime() - start) / n;
  }

  static void passCondition(int me) throws Exception {
    lock.lock();
    try {
      while (turn != me) condition.await();
      turn = 1 - me;
      condition.signal();
    } finally {
      lock.unlock();
    }
  }

  static void passSemaphore(int me) throws Exception {
    semaphores[me].acquire();
    semaphores[1 - me].release();
  }

  static double roundTrip(Step pass) throws Exception {
    long[] took = new long[1];
    Thread[] threads = new Thread[2];
    for (int t = 0; t < 2; t++) {
      int me = t;
      threads[t] = new Thread(() -> {
        try {
          pin(me);
          long start = 0;
          for (int i = -WARM_TRIPS; i < TRIPS; i++) {
            if (i == 0) start = System.nanoTime();
            pass.run(me);
          }
          if (me == 0) took[0] = System.nanoTime() - start;
        } catch (Exception e) {
          throw new RuntimeException(e);
        }
      });
      threads[t].start();
    }
    for (Thread thread : threads) thread.join();
    return (double) took[0] / TRIPS;
  }

  public static void main(String[] args) throws Exception {
    String row = args.length > 0 ? args[0] : "";
    for (int i = 0; i < keys.length; i++) map.put(keys[i] = "key" + i, i);
    double ns = switch (row) {
      case "lock-pair-synchronized" -> perCall(Threading::pairsSynchronized, 5_000_000);
      case "lock-pair-reentrant" -> perCall(Threading::pairsReentrant, 5_000_000);
      case "rw-read" -> perCall(Threading::pairsRead, 5_000_000);
      case "rw-readers" -> readers();
      case "increment-synchronized" -> increment(Threading::pairsSynchronized);
      case "increment-reentrant" -> increment(Threading::pairsReentrant);
      case "start-join" -> startJoin();
      case "condition" -> roundTrip(Threading::passCondition);
      case "semaphore" -> roundTrip(Threading::passSemaphore);
      case "map-get" -> perCall(Threading::mapGet, 5_000_000);
      case "map-set" -> perCall(Threading::mapSet, 5_000_000);
      default -> throw new IllegalArgumentException(
        "Cannot measure the row: it is unknown, received " + row);
    };
    System.out.println("{\"name\":\"" + row + "\",\"ns\":" + ns + "}");
  }
}
