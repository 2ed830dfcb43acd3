//! All rows of one subject together: its inventory from the first row, its repairs, and the sites they stood at. Pure.

use std::collections::BTreeMap;

use medfleet_domain::fleet::Site;
use medfleet_domain::id::SiteId;
use medfleet_domain::time::Timestamp;

use super::rejects::{Note, Rejects};
use super::rows::{Inventory, Repair, Said};

#[derive(Debug)]
pub struct Node {
    pub inventory: Inventory,
    /// Sorted by start, end and row.
    pub repairs: Vec<Repair>,
}

/// Everything a file told.
#[derive(Debug, Default)]
pub struct Nodes {
    by_name: BTreeMap<String, Node>,
    pub sites: BTreeMap<SiteId, Site>,
}

impl Nodes {
    /// Takes one row in, and files what was special about it.
    pub fn take(&mut self, said: Said, rejects: &mut Rejects) {
        let Said { inventory, repair, site, mut notes } = said;
        let subject = inventory.subject.name().to_owned();
        self.sites.entry(inventory.site.clone()).or_insert(site);
        let row = repair.row;
        let node = self
            .by_name
            .entry(subject.clone())
            .or_insert_with(|| Node { inventory: inventory.clone(), repairs: Vec::new() });
        if node.inventory.assigned && node.inventory != inventory {
            notes.push(Note::SaysOtherwise { subject });
        }
        node.repairs.push(repair);
        rejects.imported += 1;
        notes.iter().for_each(|note| rejects.note(row, note));
    }

    /// The subjects in the order of their names, repairs in the order of time.
    pub fn into_sorted(self) -> impl Iterator<Item = Node> {
        self.by_name.into_values().map(|mut node| {
            node.repairs.sort_by_key(|repair| (repair.from, repair.until.unwrap_or(Timestamp::MAX), repair.row));
            node
        })
    }
}
