// SPDX-License-Identifier: MIT
// GenericObjectPool of commons-pool2 at its quickest: no fairness, no tests, no JMX, no eviction, and
// all objects made before.
import org.apache.commons.pool2.BasePooledObjectFactory;
import org.apache.commons.pool2.PooledObject;
import org.apache.commons.pool2.impl.DefaultPooledObject;
import org.apache.commons.pool2.impl.GenericObjectPool;
import org.apache.commons.pool2.impl.GenericObjectPoolConfig;

final class CommonsPool extends ObjectBench.Peer {
    private final GenericObjectPool<Object> pool;

    private static final class Factory extends BasePooledObjectFactory<Object> {
        @Override
        public Object create() {
            return new Object();
        }

        @Override
        public PooledObject<Object> wrap(Object object) {
            return new DefaultPooledObject<>(object);
        }
    }

    CommonsPool(int objects) throws Exception {
        GenericObjectPoolConfig<Object> config = new GenericObjectPoolConfig<>();
        config.setMaxTotal(objects);
        config.setMaxIdle(objects);
        config.setMinIdle(objects);
        config.setJmxEnabled(false);
        config.setFairness(false);
        config.setTestOnBorrow(false);
        config.setTestOnReturn(false);
        config.setBlockWhenExhausted(true);
        pool = new GenericObjectPool<>(new Factory(), config);
        pool.preparePool();
    }

    @Override
    Object acquire() throws Exception {
        return pool.borrowObject();
    }

    @Override
    void release(Object held) {
        pool.returnObject(held);
    }

    @Override
    String version() {
        return ObjectBench.jarOf(GenericObjectPool.class);
    }
}
