//! Rows of a report, split by what tells the sessions of one site apart: a label, or a request.

use std::collections::HashMap;
use std::mem::discriminant;
use std::ptr;
use std::time::Duration;

use super::site::Site;
use super::snapshot::SessionGroup;
use crate::machine::{Activity, Owner};

/// As many different names of one site and owner have rows of their own; the rest are `others`.
const DISTINCT: usize = 20;

/// One session that has a name of its own.
pub(super) struct Named {
    pub(super) site: &'static Site,
    pub(super) owner: Owner,
    pub(super) name: String,
    pub(super) age: Duration,
    pub(super) activity: Activity,
}

/// Where a row shows the name.
pub(super) type NameOf = fn(&mut SessionGroup) -> &mut Option<String>;

fn is_same(one: Activity, other: Activity) -> bool {
    discriminant(&one) == discriminant(&other)
}

/// Gives the sessions that have a name rows of their own, and takes them out of the rows that count them.
pub(super) fn split(mut groups: Vec<SessionGroup>, mut named: Vec<Named>, name_of: NameOf) -> Vec<SessionGroup> {
    let mut rows: Vec<SessionGroup> = Vec::new();
    // The oldest first: it is what an operator looks for.
    named.sort_by_key(|named| std::cmp::Reverse(named.age));
    let mut distinct: HashMap<(usize, Owner), Vec<String>> = HashMap::new();
    for Named { site, owner, name, age, activity } in named {
        let is_of = |group: &SessionGroup| ptr::eq(group.site, site) && group.owner == owner && group.count > 0;
        let exact = groups.iter().position(|group| is_of(group) && is_same(group.activity, activity));
        // It began or ended while sessions were counted, or does something else by now.
        let Some(counted) = exact.or_else(|| groups.iter().position(is_of)) else { continue };
        let counted = &mut groups[counted];
        counted.count -= 1;
        let activity = if exact.is_some() { activity } else { counted.activity };
        let known = distinct.entry((ptr::from_ref(site).addr(), owner)).or_default();
        if !known.contains(&name) && known.len() < DISTINCT {
            known.push(name.clone());
        }
        let name = Some(if known.contains(&name) { name } else { "others".to_owned() });
        let is_it = |row: &mut SessionGroup| {
            ptr::eq(row.site, site) && row.owner == owner && *name_of(row) == name && is_same(row.activity, activity)
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
