//! Heap bytes and allocations per live session, as requested from the allocator, which rounds up.

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use canstop::Flavor;
use canstop_benches::arguments::{Arguments, read};
use canstop_benches::load::BATCH;
use canstop_benches::table::Table;
use canstop_benches::ways::{self, Job, Kind, Way, arrive, arrived};
use canstop_benches::{child, supervised};

#[global_allocator]
static ALLOCATOR: Counting = Counting { bytes: AtomicUsize::new(0), allocations: AtomicUsize::new(0) };

/// How much allocated memory has not been freed.
struct Counting {
    bytes: AtomicUsize,
    allocations: AtomicUsize,
}

#[expect(unsafe_code, reason = "an allocator is unsafe to write")]
// SAFETY: all calls go to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.bytes.fetch_add(layout.size(), Ordering::Relaxed);
        self.allocations.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller upholds the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.bytes.fetch_sub(layout.size(), Ordering::Relaxed);
        self.allocations.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

impl Counting {
    fn live(&self) -> [usize; 2] {
        [&self.bytes, &self.allocations].map(|count| count.load(Ordering::Relaxed))
    }
}

/// What the live sessions do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// They wait forever.
    Idle,
    /// They wait for the stop.
    Waiting,
}

impl State {
    const ALL: [Self; 2] = [Self::Idle, Self::Waiting];

    fn name(self) -> &'static str {
        match self {
            Self::Idle => "waits",
            Self::Waiting => "waits for the stop",
        }
    }
}

fn main() {
    let options = match read(&["--quick"]) {
        Arguments::Part(part) => return measure(&part),
        Arguments::Options(options) => options,
    };
    let counts: &[usize] = if options.is_empty() { &[100_000, 1_000_000] } else { &[100_000] };
    let columns = State::ALL.into_iter().flat_map(|state| counts.iter().map(move |&count| (state, count)));
    let columns: Vec<_> = columns.collect();
    let header = columns.iter().map(|(state, count)| format!("{}, {count} of them", state.name()));
    let mut table = Table::new([String::new()].into_iter().chain(header));
    for way in ways::all() {
        let cells = columns.iter().map(|&(state, count)| per_session(way, state, count));
        table.row([way.name.to_owned()].into_iter().chain(cells));
    }
    println!("{table}");
}

fn per_session(way: Kind, state: State, count: usize) -> String {
    if way.is_heavy && count > 100_000 {
        return "not measured".to_owned();
    }
    let [bytes, allocations] = child::figures(&[way.name, state.name(), &count.to_string()]);
    format!("{bytes:.1} B in {allocations:.2}")
}

/// One measurement in a process of its own, in which no earlier one has left memory to reuse.
fn measure(part: &[String]) {
    let [way, state, count] = part else { panic!("not a way, a state and a count: {part:?}") };
    let state = State::ALL.into_iter().find(|known| known.name() == state).expect("a state of this name");
    let count = count.parse().expect("a count");
    // On one thread: a session that has arrived also waits by the time another one runs.
    supervised::run(Flavor::CurrentThread, ways::run(way, Live { state, count }));
}

/// `count` sessions that are alive at the same time.
#[derive(Clone, Copy)]
struct Live {
    state: State,
    count: usize,
}

impl Job for Live {
    async fn run<W: Way>(self, way: &mut W) {
        let Self { state, count } = self;
        let before = ALLOCATOR.live();
        // In batches, so that the runtime's queue does not grow with them.
        for _ in 0..count / BATCH {
            for _ in 0..BATCH {
                match state {
                    State::Waiting => way.spawn_waiting(),
                    State::Idle => way.spawn(async {
                        arrive();
                        pending::<()>().await;
                    }),
                }
            }
            arrived(BATCH).await;
        }
        let after = ALLOCATOR.live();
        let [bytes, allocations] = [0, 1].map(|figure| (after[figure] - before[figure]) as f64 / count as f64);
        println!("{bytes} {allocations}");
        // The sessions wait forever, so the process exits without them.
        std::process::exit(0);
    }
}
