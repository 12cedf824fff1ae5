//! Orders and cycles of a graph.

use std::collections::VecDeque;

use super::id::ServiceId;

/// Everybody, each before those that it leads to; `None` if the graph has a cycle.
pub(crate) fn topological_order(leads_to: &[Vec<ServiceId>]) -> Option<Vec<ServiceId>> {
    let mut led_to = vec![0_usize; leads_to.len()];
    for next in leads_to.iter().flatten() {
        led_to[next.0] += 1;
    }
    let mut order: Vec<_> = (0..leads_to.len()).filter(|&id| led_to[id] == 0).map(ServiceId).collect();
    let mut at = 0;
    while let Some(&ServiceId(id)) = order.get(at) {
        at += 1;
        for &next in &leads_to[id] {
            led_to[next.0] -= 1;
            if led_to[next.0] == 0 {
                order.push(next);
            }
        }
    }
    (order.len() == leads_to.len()).then_some(order)
}

/// The cycles of a graph that has some, each once. Such a plan is about to be refused, so each
/// service just looks for the shortest way back to itself.
pub(crate) fn cycles(leads_to: &[Vec<ServiceId>]) -> Vec<Vec<ServiceId>> {
    let mut found: Vec<Vec<ServiceId>> = Vec::new();
    for start in (0..leads_to.len()).map(ServiceId) {
        if !found.iter().any(|cycle| cycle.contains(&start)) {
            found.extend(way_back(start, leads_to));
        }
    }
    found
}

fn way_back(start: ServiceId, leads_to: &[Vec<ServiceId>]) -> Option<Vec<ServiceId>> {
    let mut came_from = vec![None; leads_to.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &next in &leads_to[at.0] {
            if next == start {
                let mut way = vec![at];
                while let Some(previous) = came_from[way[way.len() - 1].0] {
                    way.push(previous);
                }
                way.reverse();
                return Some(way);
            }
            if came_from[next.0].is_none() {
                came_from[next.0] = Some(at);
                queue.push_back(next);
            }
        }
    }
    None
}
