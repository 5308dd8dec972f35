//! Numbers a batch: the one place where `Exactly`, `Next` and the epoch mean something. Pure; every store runs it inside its transaction.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use extensions::{Serial, StreamId};

use super::{Item, KnownIds, Outcome, OutcomeProof};
use crate::{
    append::{CommittedEntry, Expect, Proof},
    entry::Draft,
};

/// The truth a batch is numbered against.
pub(crate) struct Truth<'a> {
    pub(crate) size: u64,
    pub(crate) epoch: u64,
    pub(crate) next: &'a (dyn Fn(&StreamId) -> u64 + Sync),
    pub(crate) known_ids: &'a KnownIds,
    pub(crate) taken_serials: &'a HashSet<Serial>,
}

/// How an item came out, before the tree is known.
pub(crate) enum Numbered {
    Written { first: usize },
    Same { first: usize },
    Ended(Outcome),
}

/// A batch with its numbers.
pub(crate) struct Sequence {
    pub(crate) entries: Vec<CommittedEntry>,
    pub(crate) items: Vec<Numbered>,
    pub(crate) epoch: u64,
    pub(crate) next: HashMap<StreamId, u64>,
}

struct Pass<'a> {
    truth: &'a Truth<'a>,
    writer: &'a Arc<str>,
    sequence: Sequence,
    /// Streams on which an `Exactly` of this batch lost: what was decided behind it is dropped.
    lost: HashSet<StreamId>,
    serials: HashSet<Serial>,
    ids: HashMap<(StreamId, Arc<str>), usize>,
}

/// Numbers `items` in order. An item is written wholly or not at all; a losing `Exactly` drops the later `Exactly`s of its stream.
pub(crate) fn sequence(items: &[Item], writer: &Arc<str>, truth: &Truth<'_>) -> Sequence {
    let sequence = Sequence {
        entries: Vec::new(),
        items: Vec::new(),
        epoch: truth.epoch,
        next: HashMap::new(),
    };
    let mut pass = Pass {
        truth,
        writer,
        sequence,
        lost: HashSet::new(),
        serials: HashSet::new(),
        ids: HashMap::new(),
    };
    for item in items {
        let numbered = pass.number(item);
        pass.sequence.items.push(numbered);
    }
    pass.sequence
}

impl Pass<'_> {
    fn next(&self, stream: &StreamId) -> u64 {
        self.sequence
            .next
            .get(stream)
            .copied()
            .unwrap_or_else(|| (self.truth.next)(stream))
    }

    fn number(&mut self, item: &Item) -> Numbered {
        let Some(draft) = item.drafts.first() else {
            return Numbered::Ended(Outcome::Conflict {
                next_number: 0,
                epoch: self.sequence.epoch,
            });
        };
        if let Expect::Exactly { number, epoch } = item.expect {
            let next_number = self.next(&draft.stream);
            if self.lost.contains(&draft.stream) || number != next_number || epoch != self.sequence.epoch {
                self.lost.insert(draft.stream.clone());
                return Numbered::Ended(Outcome::Conflict {
                    next_number,
                    epoch: self.sequence.epoch,
                });
            }
        } else if let Some(repeat) = self.repeat(item, draft) {
            return repeat;
        }
        let taken = |serial: &Serial| self.truth.taken_serials.contains(serial) || self.serials.contains(serial);
        if item.serials.iter().any(taken) {
            if item.expect != Expect::Next {
                self.lost.insert(draft.stream.clone());
            }
            return Numbered::Ended(Outcome::SerialTaken);
        }
        self.serials.extend(item.serials.iter().copied());
        self.write(item)
    }

    fn repeat(&self, item: &Item, draft: &Draft) -> Option<Numbered> {
        let key = (draft.stream.clone(), Arc::clone(item.id.as_ref()?));
        if let Some(index) = self.ids.get(&key) {
            let entry = &self.sequence.entries[*index];
            return Some(if entry.body() == draft.body {
                Numbered::Same { first: *index }
            } else {
                Numbered::Ended(Outcome::AlreadyRecorded {
                    position: entry.position,
                    number: entry.number,
                })
            });
        }
        let (entry, tree, checkpoint) = self.truth.known_ids.get(&key)?;
        Some(Numbered::Ended(
            if entry.body() == draft.body && entry.kind.as_ref() == draft.kind.as_ref() {
                Outcome::Recorded(OutcomeProof(Proof {
                    entry: Arc::clone(entry),
                    tree: Arc::clone(tree),
                    checkpoint: Arc::clone(checkpoint),
                    repeat: true,
                }))
            } else {
                Outcome::AlreadyRecorded {
                    position: entry.position,
                    number: entry.number,
                }
            },
        ))
    }

    fn write(&mut self, item: &Item) -> Numbered {
        let first = self.sequence.entries.len();
        for (ordinal, draft) in item.drafts.iter().enumerate() {
            let number = self.next(&draft.stream);
            self.sequence.next.insert(draft.stream.clone(), number + 1);
            if draft.gating {
                self.sequence.epoch += 1;
            }
            let position = self.truth.size + self.sequence.entries.len() as u64;
            let mut entry = draft.complete(position, number, self.sequence.epoch, self.writer);
            if ordinal == 0
                && let Some(id) = &item.id
            {
                entry.id = Some(Arc::clone(id));
                self.ids.insert((draft.stream.clone(), Arc::clone(id)), first);
            }
            self.sequence.entries.push(entry);
        }
        Numbered::Written { first }
    }
}
