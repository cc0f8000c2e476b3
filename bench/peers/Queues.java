// The rows of the queue suite with Java.
// Run: java -cp DIRECTORY Queues ROW; prints {"name", "ns"}.
import java.util.concurrent.ArrayBlockingQueue;

class Queues {
  static final int MAXSIZE = 1024;

  static Thread producer(ArrayBlockingQueue<Integer> queue, int count) {
    return new Thread(() -> {
      try {
        for (int i = 0; i < count; i++) queue.put(7);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    });
  }

  static double numbers() throws InterruptedException {
    ArrayBlockingQueue<Integer> queue = new ArrayBlockingQueue<>(MAXSIZE);
    int count = 2_000_000;
    Thread producer = producer(queue, 2 * count);
    producer.start();
    for (int i = 0; i < count; i++) queue.take();
    long start = System.nanoTime();
    for (int i = 0; i < count; i++) queue.take();
    long took = System.nanoTime() - start;
    producer.join();
    return (double) took / count;
  }

  static double handOver() throws InterruptedException {
    ArrayBlockingQueue<Integer> there = new ArrayBlockingQueue<>(MAXSIZE);
    ArrayBlockingQueue<Integer> back = new ArrayBlockingQueue<>(MAXSIZE);
    int trips = 10_000;
    Thread echo = new Thread(() -> {
      try {
        for (int i = 0; i < trips; i++) back.put(there.take());
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    });
    echo.start();
    long start = System.nanoTime();
    for (int i = 0; i < trips; i++) {
      there.put(i);
      back.take();
    }
    long took = System.nanoTime() - start;
    echo.join();
    return (double) took / trips;
  }

  public static void main(String[] args) throws InterruptedException {
    double ns = switch (args[0]) {
      case "numbers" -> numbers();
      case "hand-over" -> handOver();
      default -> throw new IllegalArgumentException(
          "Cannot measure the row: it is unknown, received " + args[0]);
    };
    System.out.printf("{\"name\": \"%s\", \"ns\": %s}%n", args[0], ns);
  }
}
