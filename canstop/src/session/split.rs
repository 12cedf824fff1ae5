//! Rows of a report, split by what distinguishes the sessions of one site: a label, or a request.

use std::collections::HashMap;
use std::mem::discriminant;
use std::ptr;
use std::time::{Duration, Instant};

use super::scope::Scope;
use super::site::Site;
use super::snapshot::SessionGroup;
use crate::machine::Activity;

/// How many different names of one site and scope have rows of their own; the rest are `others`.
const DISTINCT: usize = 20;

/// One session that has a name of its own.
pub(super) struct Named {
    pub(super) site: &'static Site,
    pub(super) scope: &'static Scope,
    pub(super) name: String,
    pub(super) age: Duration,
    pub(super) activity: Activity,
}

/// The field of a row that shows the name.
pub(super) type NameOf = fn(&mut SessionGroup) -> &mut Option<String>;

fn is_same(one: Activity, other: Activity) -> bool {
    discriminant(&one) == discriminant(&other)
}

/// Moves the sessions that have a name of their own from the rows that count them to rows of their own. Those that
/// are not moved by `until` stay where they are.
pub(super) fn split(
    mut groups: Vec<SessionGroup>,
    mut named: Vec<Named>,
    name_of: NameOf,
    until: Instant,
) -> Vec<SessionGroup> {
    let mut rows: Vec<SessionGroup> = Vec::new();
    // The oldest first: these are what an operator looks for.
    named.sort_by_key(|named| std::cmp::Reverse(named.age));
    let mut distinct: HashMap<(usize, usize), Vec<String>> = HashMap::new();
    for Named { site, scope, name, age, activity } in named {
        if Instant::now() >= until {
            break;
        }
        let is_of = |group: &SessionGroup| ptr::eq(group.site, site) && ptr::eq(group.scope, scope) && group.count > 0;
        let exact = groups.iter().position(|group| is_of(group) && is_same(group.activity, activity));
        // It began or ended while sessions were counted, or its activity has changed since.
        let Some(counted) = exact.or_else(|| groups.iter().position(is_of)) else { continue };
        let counted = &mut groups[counted];
        counted.count -= 1;
        let activity = if exact.is_some() { activity } else { counted.activity };
        let known = distinct.entry((ptr::from_ref(site).addr(), ptr::from_ref(scope).addr())).or_default();
        if !known.contains(&name) && known.len() < DISTINCT {
            known.push(name.clone());
        }
        let name = Some(if known.contains(&name) { name } else { "others".to_owned() });
        let is_it = |row: &mut SessionGroup| {
            ptr::eq(row.site, site)
                && ptr::eq(row.scope, scope)
                && *name_of(row) == name
                && is_same(row.activity, activity)
        };
        let row = rows.iter_mut().position(is_it);
        match row {
            Some(row) => rows[row].count += 1,
            None => {
                let mut row = SessionGroup { count: 1, oldest: Some(age), activity, ..counted.clone() };
                *name_of(&mut row) = name;
                rows.push(row);
            }
        }
    }
    rows.extend(groups.into_iter().filter(|group| group.count > 0));
    rows
}
