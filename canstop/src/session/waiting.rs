//! The table of sessions that wait: who they are, since when, and how to wake them.
//!
//! A session enters it when its poll first returns pending, and leaves it when it ends. So one that
//! never waits pays nothing, and all that wait can be told to stop, be named with their age, or be
//! given up, whatever they wait for. The table is cut into shards, and a thread enters sessions in
//! its own: two threads meet at a lock only where a session ends elsewhere than where it first
//! waited.

use std::sync::{Mutex, MutexGuard};
use std::task::Waker;

use slab::Slab;

use super::counter::Counter;
use super::scope::Scope;
use super::thread::{self, Mark};

/// A session that waits.
#[derive(Debug)]
pub(super) struct Entry {
    waker: Waker,
    pub(super) counter: &'static Counter,
    pub(super) mark: Mark,
}

/// As many as threads are likely to spawn from at once.
const SHARDS: usize = 64;
/// A place is the shard in the upper bits and the index within it in the lower ones, and leaves the
/// highest bit to whoever keeps it.
const INDEX_BITS: u32 = u32::BITS - 1 - SHARDS.trailing_zeros();

#[derive(Debug)]
#[repr(align(64))]
struct Shard(Mutex<Slab<Entry>>);

static TABLE: [Shard; SHARDS] = [const { Shard(Mutex::new(Slab::new())) }; SHARDS];

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Slab<Entry>> {
        self.0.lock().expect("nothing panics while it holds a shard")
    }
}

/// A session's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    #[inline]
    pub(super) fn to_bits(self) -> u32 {
        self.0
    }

    #[inline]
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    fn split(self) -> (&'static Shard, usize) {
        let shard = (self.0 >> INDEX_BITS) as usize;
        let index = self.0 & ((1 << INDEX_BITS) - 1);
        (&TABLE[shard], index as usize)
    }
}

/// Enters a session. Whoever does so must look again, afterwards, at whether it was told to stop:
/// the wake may have come just before.
pub(super) fn enter(waker: Waker, counter: &'static Counter, mark: Mark) -> Place {
    let number = thread::number() % SHARDS as u32;
    let index = TABLE[number as usize].lock().insert(Entry { waker, counter, mark });
    assert!(index < 1 << INDEX_BITS, "more than 33 million sessions wait that one thread has polled first");
    Place(number << INDEX_BITS | index as u32)
}

/// Takes a session out.
pub(super) fn leave(place: Place) {
    let (shard, index) = place.split();
    let entry = shard.lock().remove(index);
    // Its waker may free a task, which is not to happen under the lock.
    drop(entry);
}

/// How many entries are looked at before the lock is given to others for a moment.
const CHUNK: usize = 256;

/// Calls `visit` for every entry of these shards.
fn visit(mut visit: impl FnMut(&Entry)) {
    for shard in &TABLE {
        let mut next = 0;
        loop {
            let entries = shard.lock();
            let end = next + CHUNK;
            for index in next..end {
                if let Some(entry) = entries.get(index) {
                    visit(entry);
                }
            }
            next = end;
            if next >= entries.capacity() {
                break;
            }
        }
    }
}

/// Wakes every session that waits and belongs to this scope, or to a group under it.
///
/// A wake only puts a task into its runtime's queue, so it may be done under the shard's lock.
pub(crate) fn wake_all(scope: &'static Scope) {
    visit(|entry| {
        if std::ptr::eq(entry.counter.scope, scope) || std::ptr::eq(entry.counter.home, scope) {
            entry.waker.wake_by_ref();
        }
    });
}

/// Calls `found` for every session that waits, with its place.
pub(super) fn for_each(mut found: impl FnMut(&Entry)) {
    visit(&mut found);
}
