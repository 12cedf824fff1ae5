//! Large plans in random worlds.

use std::hash::{BuildHasher, RandomState};

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::world::{
    End, MainScript, Order, PredecessorScript, RunScript, ServiceScript, SessionScript, SuccessorScript, World, play,
};
use crate::machine::exit::Exit;
use crate::machine::restart::Restart;

/// The number of worlds, unless `CANSTOP_CASES` is set. Each run of the test has a new seed; a failure prints it, and
/// `CANSTOP_SEED` plays the same worlds again.
const CASES: u32 = 300;

#[test]
fn no_world_breaks_a_law() {
    let cases = std::env::var("CANSTOP_CASES").map_or(CASES, |cases| cases.parse().expect("CANSTOP_CASES is a number"));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let exits = std::cell::RefCell::new([0; 5]);
    let chosen = std::env::var("CANSTOP_SEED").ok().map(|seed| seed.parse().expect("CANSTOP_SEED is a number"));
    let seed: u64 = chosen.unwrap_or_else(|| RandomState::new().hash_one(()));
    let bytes = std::array::from_fn::<_, 32, _>(|at| seed.to_le_bytes()[at % 8]);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let played = TestRunner::new_with_rng(config, rng).run(&worlds(), |world| {
        let exit = play(&world).map_err(TestCaseError::fail)?;
        let kind = match exit {
            Exit::Clean => 0,
            Exit::Failed => 1,
            Exit::Abandoned => 2,
            Exit::Forced(_) => 3,
            Exit::Interrupted(_) => 4,
        };
        exits.borrow_mut()[kind] += 1;
        Ok(())
    });
    let [clean, failed, abandoned, forced, interrupted] = exits.into_inner();
    println!("{clean} clean, {failed} failed, {abandoned} abandoned, {forced} forced, {interrupted} interrupted");
    if let Err(error) = played {
        panic!("CANSTOP_SEED={seed} breaks a law: {error}");
    }
}

fn worlds() -> impl Strategy<Value = World> {
    let times =
        (prop_oneof![9 => 200..8_000_u64, 1 => 0..30_u64], prop_oneof![3 => Just(0), 1 => 0..1_000_u64], 0..6_000_u64);
    let lags = prop_oneof![4 => Just(vec![0]), 1 => vec(0..300_u64, 1..4)];
    let rogue = weighted(0.05, (0..8_usize, 0..10_usize));
    let plan = (vec(families(), 1..=8), any::<bool>(), rogue);
    let hand_overs = (200..3_000_u64, weighted(0.2, predecessors()));
    let others = (mains(), vec(sessions(), 0..4), vec(orders(), 0..4), lags, hand_overs);
    (times, plan, others).prop_map(|(times, plan, others)| {
        let (grace, drain_delay, terminated) = times;
        let (services, needed_come_last, rogue) = plan;
        let (main, root_sessions, orders, lags, (upgrade_timeout, predecessor)) = others;
        let drain_delay = drain_delay.min(grace / 2);
        World {
            grace,
            drain_delay,
            main,
            services,
            needed_come_last,
            rogue,
            root_sessions,
            orders,
            upgrade_timeout,
            predecessor,
            terminated,
            lags,
        }
    })
}

fn mains() -> impl Strategy<Value = MainScript> {
    let body = (any::<bool>(), weighted(0.8, soon()), weighted(0.2, 0..4_000_u64), ends());
    (body, weighted(0.8, soon()), weighted(0.8, soon()), weighted(0.9, soon())).prop_map(
        |((listens, runs, ends, reason), obeys, drops_in, teardown)| MainScript {
            listens,
            runs,
            ends,
            reason,
            obeys,
            drops_in,
            teardown,
        },
    )
}

/// A service, sometimes with children, which may have children as well.
fn families() -> impl Strategy<Value = ServiceScript> {
    let with = |(script, children)| ServiceScript { children, ..script };
    let parents = (services(), prop_oneof![4 => vec(services(), 0), 1 => vec(services(), 1..4)]).prop_map(with);
    prop_oneof![3 => services(), 2 => (services(), vec(parents, 1..4)).prop_map(with)]
}

fn services() -> impl Strategy<Value = ServiceScript> {
    let restarts = prop_oneof![Just(Restart::Never), Just(Restart::OnFailure), Just(Restart::Always)];
    let added = prop_oneof![4 => Just(0), 1 => 0..3_000_u64];
    let options = (prop::bool::weighted(0.3), any::<bool>(), prop::bool::weighted(0.3), weighted(0.3, 0..3_000_u64));
    // `some & others` leaves a quarter of all pairs.
    let bound = prop_oneof![2 => Just((0, 0)), 1 => (any::<u16>(), any::<u16>())];
    let spec = (((any::<u16>(), any::<u16>()), bound), added, restarts, 0..4_u32, options);
    let runs = vec((weighted(0.3, 0..3_000_u64), ends()).prop_map(|(lasts, end)| RunScript { lasts, end }), 1..4);
    let drops = (prop_oneof![8 => Just(Some(0)), 2 => weighted(0.9, soon())], prop::bool::weighted(0.03));
    let dies = (weighted(0.8, soon()), weighted(0.1, soon()), drops, any::<bool>());
    let story = (weighted(0.98, 0..700_u64), runs, weighted(0.85, soon()), ends(), dies, vec(sessions(), 0..3));
    (spec, story).prop_map(|(spec, story)| {
        let (((some, others), (bound, bound_dependents)), added, restart, failures, (notify, optional, cancel, grace)) =
            spec;
        let (ready_after, runs, obeys, obeys_with, dies, sessions) = story;
        let (dies_in, echoes_after, (drops_in, drop_panics), retries) = dies;
        ServiceScript {
            needs: some & others,
            bound,
            bound_dependents,
            added,
            restart,
            failures,
            notify,
            optional,
            cancel,
            grace,
            ready_after,
            runs,
            obeys,
            obeys_with,
            dies_in,
            echoes_after,
            drops_in,
            drop_panics,
            retries,
            sessions,
            children: Vec::new(),
        }
    })
}

fn sessions() -> impl Strategy<Value = SessionScript> {
    // Few graces, so that sessions share their groups.
    let grace = weighted(0.3, prop_oneof![Just(0), Just(200), Just(1_000)]);
    (0..6_000_u64, weighted(0.8, soon()), weighted(0.5, soon()), grace)
        .prop_map(|(at, lasts, obeys, grace)| SessionScript { at, lasts, obeys, grace })
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        2 => (0..6_000_u64, prop_oneof![2 => Just(0), 1 => 0..500_u64], prop::bool::weighted(0.2)).prop_map(
            |(at, delivered, from_terminal)| Order::Signal { at, delivered, from_terminal }
        ),
        1 => (0..6_000_u64, 0..4_000_u64).prop_map(|(at, span)| Order::Frozen { at, span }),
        1 => (0..6_000_u64).prop_map(|at| Order::Shutdown { at }),
        3 => (0..5_000_u64, 0..16_usize).prop_map(|(at, service)| Order::Stop { at, service }),
        4 => (0..5_000_u64, 0..16_usize).prop_map(|(at, service)| Order::Restart { at, service }),
        2 => (0..5_000_u64, successors()).prop_map(|(at, successor)| Order::HandOver { at, successor }),
    ]
}

/// Most become ready; some end before or after that.
fn successors() -> impl Strategy<Value = SuccessorScript> {
    (0..50_u64, weighted(0.7, 0..4_000_u64), weighted(0.4, 0..4_000_u64))
        .prop_map(|(spawned, ready, ends)| SuccessorScript { spawned, ready, ends })
}

fn predecessors() -> impl Strategy<Value = PredecessorScript> {
    (weighted(0.8, 0..500_u64), 0..3_000_u64, weighted(0.3, 0..3_000_u64))
        .prop_map(|(stops, ends, dies)| PredecessorScript { stops, ends, dies })
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![6 => Just(End::Done), 1 => Just(End::Failed), 1 => Just(End::Panicked), 1 => Just(End::Dropped)]
}

/// Mostly at once or within the usual grace, sometimes later than any.
fn soon() -> impl Strategy<Value = u64> {
    prop_oneof![2 => 0..3_u64, 6 => 0..800_u64, 1 => 0..10_000_u64]
}
