// SPDX-License-Identifier: MIT
// The patterns of ../../../object_work.h and object_hold.h for pools of the JVM, which run as long
// as it takes to compile them before anything is measured. The first argument is the class of the pool,
// so that no other is loaded and its calls are inlined.
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.CyclicBarrier;

public final class ObjectBench {
    /** What a pool's class is: made with a number of objects. */
    abstract static class Peer {
        abstract Object acquire() throws Exception;

        abstract void release(Object held) throws Exception;

        abstract String version();
    }

    static final long WARM_UP_NS = 1_500_000_000L;
    static final int BUCKETS = 64 * 16, WAITED_NS = 1000, HOLD_STRETCH = 25;

    final Peer peer;
    final int objects, threads;
    long holdSteps;
    int windows = 7;
    long windowNs = 2_000_000;
    volatile Object seen;

    ObjectBench(Peer peer, int objects, int threads) {
        this.peer = peer;
        this.objects = objects;
        this.threads = threads;
    }

    /** What one thread does in one window; returns its operations. */
    interface Load {
        long run(int thread, long amount) throws Exception;
    }

    // ---- Acquire and release ----

    long cycle(int thread, long count) throws Exception {
        Object last = null;
        for (long i = 0; i < count; i++) {
            Object held = peer.acquire();
            last = held;
            peer.release(held);
        }
        seen = last;
        return count;
    }

    long burst(int thread, long count) throws Exception {
        Object[] held = new Object[objects];
        for (long left = count; left > 0; left -= objects) {
            int now = (int) Math.min(left, objects);
            for (int i = 0; i < now; i++)
                held[i] = peer.acquire();
            for (int i = 0; i < now; i++)
                peer.release(held[i]);
        }
        return count;
    }

    // ---- With work in between ----

    static long steps(long count) {
        long x = count + 1;
        for (long i = 0; i < count; i++) {
            x ^= x >>> 12;
            x ^= x << 25;
            x ^= x >>> 27;
        }
        return x;
    }

    long work() {
        long x = steps(holdSteps / 2);
        Thread.yield();
        return x + steps(holdSteps - holdSteps / 2);
    }

    static long stepsFor(long durationNs) {
        long quickest = Long.MAX_VALUE, sum = 0;
        for (int i = 0; i < 2000; i++) {
            long start = System.nanoTime();
            sum += steps(20_000);
            quickest = Math.min(quickest, System.nanoTime() - start);
        }
        return sum == 0 ? 0 : durationNs * 20_000 / quickest;
    }

    static int bucketOf(long ns) {
        if (ns < 16)
            return (int) ns;
        int doubling = 63 - Long.numberOfLeadingZeros(ns);
        return (doubling - 3) * 16 + (int) (ns >> (doubling - 4) & 15);
    }

    static double bucketNs(int bucket) {
        return bucket < 16 ? bucket : (double) ((long) (16 + bucket % 16) << (bucket / 16 - 1));
    }

    long[][] counts;
    long[] slow;

    long hold(int thread, long endNs) throws Exception {
        long now = System.nanoTime(), operations = 0, slowHere = 0, sum = 0;
        long[] mine = counts[thread];
        while (now - endNs < 0) {
            long start = System.nanoTime();
            Object held = peer.acquire();
            now = System.nanoTime();
            sum += work();
            peer.release(held);
            Thread.yield();
            operations++;
            mine[bucketOf(now - start)]++;
            if (now - start > WAITED_NS)
                slowHere++;
        }
        slow[thread] += slowHere;
        seen = sum;
        return operations;
    }

    long bare(int thread, long endNs) {
        long now = System.nanoTime(), operations = 0, sum = 0;
        if (thread >= objects)
            return 0;
        while (now - endNs < 0) {
            sum += System.nanoTime();
            now = System.nanoTime();
            sum += work();
            Thread.yield();
            operations++;
        }
        seen = sum;
        return operations;
    }

    // ---- Windows ----

    private volatile Load load;
    private volatile long amount;
    private CyclicBarrier barrier;
    private long[] start, end, operations;

    private void member(int thread) {
        try {
            for (;;) {
                barrier.await();
                if (load == null)
                    return;
                start[thread] = System.nanoTime();
                operations[thread] = load.run(thread, amount);
                end[thread] = System.nanoTime();
                barrier.await();
            }
        } catch (Throwable e) {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    private void open() {
        barrier = new CyclicBarrier(threads + 1);
        start = new long[threads];
        end = new long[threads];
        operations = new long[threads];
        for (int i = 0; i < threads; i++) {
            final int thread = i;
            Thread t = new Thread(() -> member(thread));
            t.setDaemon(true);
            t.start();
        }
    }

    /** Returns wall time over all operations, from the first start to the last end of who did any. */
    private double window(Load what, long howMuch) throws Exception {
        load = what;
        amount = howMuch;
        barrier.await();
        barrier.await();
        long first = Long.MAX_VALUE, last = Long.MIN_VALUE, sum = 0;
        for (int i = 0; i < threads; i++) {
            if (operations[i] == 0)
                continue;
            first = Math.min(first, start[i]);
            last = Math.max(last, end[i]);
            sum += operations[i];
        }
        return (double) (last - first) / sum;
    }

    private void measure(Load what) throws Exception {
        long count = 64, began = System.nanoTime();
        double enough = windowNs * 5.0;
        while (System.nanoTime() - began < WARM_UP_NS) {
            if (window(what, count) * count * threads < enough)
                count *= 2;
        }
        double[] costs = new double[windows];
        for (int i = 0; i < windows; i++)
            costs[i] = window(what, count);
        for (double cost : costs)
            System.out.printf(Locale.ROOT, "%.3f%n", cost);
    }

    private double holdWindow(boolean isBare, long lengthNs) throws Exception {
        Load what = isBare ? this::bare : this::hold;
        return window(what, System.nanoTime() + lengthNs);
    }

    private void measureHolds(long holdNs) throws Exception {
        long lengthNs = windowNs * HOLD_STRETCH;
        double[] costs = new double[windows], bare = new double[windows + 1];
        holdSteps = stepsFor(holdNs);
        counts = new long[threads][BUCKETS];
        slow = new long[threads];
        holdWindow(true, WARM_UP_NS / 4);
        holdWindow(false, WARM_UP_NS * 3 / 4);
        counts = new long[threads][BUCKETS];
        slow = new long[threads];
        bare[0] = holdWindow(true, lengthNs / 2);
        for (int i = 0; i < windows; i++) {
            costs[i] = holdWindow(false, lengthNs);
            bare[i + 1] = holdWindow(true, lengthNs / 2);
            costs[i] -= (bare[i] + bare[i + 1]) / 2;
        }
        printHolds(costs);
    }

    private void printHolds(double[] costs) {
        long total = 0, slowSum = 0, passed = 0;
        int bucket = BUCKETS;
        for (int i = 0; i < threads; i++) {
            slowSum += slow[i];
            for (long c : counts[i])
                total += c;
        }
        while (bucket > 0 && passed * 1000 <= total) {
            bucket--;
            for (long[] c : counts)
                passed += c[bucket];
        }
        for (double cost : costs)
            System.out.printf(Locale.ROOT, "%.1f %.2f %.3f%n", cost, bucketNs(bucket) / 1000,
                    100.0 * slowSum / total);
    }

    public static void main(String[] words) throws Exception {
        boolean isVersion = words[1].equals("--version");
        long[] values = new long[4];
        int count = 0, windows = 7;
        long windowNs = 2_000_000;
        for (int i = 2; i < words.length; i++) {
            if (words[i].equals("--windows"))
                windows = Integer.parseInt(words[++i]);
            else if (words[i].equals("--window-us"))
                windowNs = 1000 * Long.parseLong(words[++i]);
            else if (words[i].equals("--cpu")) // threads of the JVM go where they like
                i++;
            else
                values[count++] = Long.parseLong(words[i]);
        }
        Peer peer = (Peer) Class.forName(words[0]).getDeclaredConstructor(int.class)
                .newInstance(isVersion ? 1 : (int) values[0]);
        if (isVersion) {
            System.out.println(peer.version() + ", Java " + System.getProperty("java.version"));
            return;
        }
        boolean isBurst = words[1].equals("burst");
        ObjectBench bench = new ObjectBench(peer, (int) values[0], isBurst ? 1 : (int) values[1]);
        bench.windows = windows;
        bench.windowNs = windowNs;
        bench.open();
        if (words[1].equals("hold"))
            bench.measureHolds(values[2]);
        else
            bench.measure(isBurst ? bench::burst : bench::cycle);
        System.out.flush();
        Runtime.getRuntime().halt(0); // pools have threads that would go on
    }

    /** The jar's name and version: commons-pool2.jar is beside commons-pool2-2.11.1.jar. */
    static String jarOf(Class<?> of) {
        try {
            Path jar = Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI());
            String name = jar.getFileName().toString().replace(".jar", "");
            try (DirectoryStream<Path> all = Files.newDirectoryStream(jar.getParent(), name + "-[0-9]*.jar")) {
                for (Path one : all)
                    name = one.getFileName().toString().replace(".jar", "").replaceFirst("-([0-9])", " $1");
            }
            return name;
        } catch (Exception e) {
            return of.getSimpleName() + " of unknown version";
        }
    }
}
