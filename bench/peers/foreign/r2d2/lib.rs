// SPDX-License-Identifier: MIT
// r2d2 as a contestant: a pool of connections that are nothing, neither tested on check-out nor given
// an end of life, so that what is measured is the pool. The harness is object_r2d2.c.
use r2d2::{ManageConnection, NopErrorHandler, Pool, PooledConnection};
use std::convert::Infallible;
use std::ptr;
use std::time::Duration;

pub struct Nothing;

impl ManageConnection for Nothing {
    type Connection = u64;
    type Error = Infallible;

    fn connect(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

static mut POOL: Option<Pool<Nothing>> = None;

/// Opens the pool, before any other thread is there; returns how many bytes a connection needs.
#[no_mangle]
pub extern "C" fn object_r2d2_open(object_count: u32) -> usize {
    let pool = Pool::builder()
        .max_size(object_count)
        .test_on_check_out(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .error_handler(Box::new(NopErrorHandler))
        .connection_timeout(Duration::from_secs(60))
        .build(Nothing)
        .expect("r2d2 could not make its connections");
    unsafe { ptr::addr_of_mut!(POOL).write(Some(pool)) };
    std::mem::size_of::<PooledConnection<Nothing>>()
}

/// # Safety
/// `held` has as many bytes as object_r2d2_open said, aligned to 16.
#[no_mangle]
pub unsafe extern "C" fn object_r2d2_acquire(held: *mut PooledConnection<Nothing>) {
    let pool = (*ptr::addr_of!(POOL)).as_ref().expect("no pool");
    ptr::write(held, pool.get().expect("a minute without a connection"));
}

/// # Safety
/// `held` was filled by object_r2d2_acquire.
#[no_mangle]
pub unsafe extern "C" fn object_r2d2_release(held: *mut PooledConnection<Nothing>) {
    ptr::drop_in_place(held);
}
