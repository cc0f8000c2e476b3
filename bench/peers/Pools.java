// The rows of the pool suite with Java.
// Run: java -cp DIRECTORY Pools ROW; prints {"name", "ns"}.
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;
import java.util.concurrent.RecursiveTask;
import java.util.stream.IntStream;

class Pools {
  static final int SIZE = 2;

  /** So many nanoseconds each program warms up, in at least five rounds. */
  static final long WARM_UP = 1_000_000_000;

  /** The median time of several rounds, after a warm-up. */
  static double rounds(int count, Callable<?> round) throws Exception {
    long until = System.nanoTime() + WARM_UP;
    for (int i = 0; i < 5 || System.nanoTime() < until; i++) round.call();
    long[] took = new long[count];
    for (int i = 0; i < count; i++) {
      long start = System.nanoTime();
      round.call();
      took[i] = System.nanoTime() - start;
    }
    Arrays.sort(took);
    return took[count / 2];
  }

  static double one() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(1);
    return rounds(9, () -> {
      for (int i = 0; i < 500; i++) {
        int n = i;
        pool.submit(() -> n).get();
      }
      return null;
    }) / 500;
  }

  static double many(int count, Task task) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(SIZE);
    return rounds(9, () -> {
      List<Future<Object>> futures = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        int n = i;
        futures.add(pool.submit(() -> task.run(n)));
      }
      for (Future<Object> future : futures) future.get();
      return null;
    }) / count;
  }

  static double map() throws Exception {
    ForkJoinPool pool = new ForkJoinPool(SIZE);
    int count = 1_000_000;
    return rounds(9, () -> pool.submit(() ->
        IntStream.range(0, count).parallel().mapToObj(n -> n).toList()).get())
        / count;
  }

  interface Task {
    Object run(int n) throws Exception;
  }

  static final ThreadLocal<byte[]> BUFFER =
      ThreadLocal.withInitial(() -> new byte[65_536]);

  static Object hash(int n) throws Exception {
    byte[] buffer = BUFFER.get();
    Arrays.fill(buffer, (byte) n);
    return MessageDigest.getInstance("SHA-256").digest(buffer);
  }

  static boolean isPrime(int n) {
    if (n % 2 == 0) return n == 2;
    for (int i = 3; (long) i * i <= n; i += 2) {
      if (n % i == 0) return false;
    }
    return n > 1;
  }

  static int fib(int n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
  }

  static class SplitFib extends RecursiveTask<Integer> {
    final int n;
    final int depth;

    SplitFib(int n, int depth) {
      this.n = n;
      this.depth = depth;
    }

    @Override
    protected Integer compute() {
      if (depth == 0 || n < 2) return fib(n);
      SplitFib left = new SplitFib(n - 1, depth - 1);
      left.fork();
      int right = new SplitFib(n - 2, depth - 1).compute();
      return left.join() + right;
    }
  }

  public static void main(String[] args) throws Exception {
    ForkJoinPool forks = new ForkJoinPool(SIZE);
    double ns = switch (args[0]) {
      case "one" -> one();
      case "many" -> many(10_000, n -> n);
      case "map" -> map();
      case "hash" -> many(400, Pools::hash);
      case "primes" -> many(2000, n -> isPrime(2_140_000_001 + 2 * n));
      case "fib" -> rounds(15, () -> forks.invoke(new SplitFib(25, 8)));
      case "fib-large" -> rounds(15, () -> forks.invoke(new SplitFib(32, 8)));
      default -> throw new IllegalArgumentException(
          "Cannot measure the row: it is unknown, received " + args[0]);
    };
    System.out.printf("{\"name\": \"%s\", \"ns\": %s}%n", args[0], ns);
    System.exit(0);
  }
}
