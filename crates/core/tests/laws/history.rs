//! Random histories: three devices that are offline for as long as they like, wrong clocks, forms left open, dates in
//! the past and in the future, racing resolutions, groups, rejected events, and restores that lose the end of the log.
//!
//! A history is a list of numbers; each is one step, whatever it is. So proptest can leave steps out when it looks for
//! the shortest history that breaks a law.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use radslag_core::command::{Draft, expectations};
use radslag_core::event::{Base, Change, EventBody, Expectation, NewValue, PartyKind, Standing};
use radslag_core::field::FieldKey;
use radslag_core::fold;
use radslag_core::id::{EntityId, EpochId, EventId, Position};
use radslag_core::record::{Entry, First};
use radslag_core::state::EntityKind;
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;

use super::naive::{Line, Naive};
use super::town::{Dice, HANINGE, HUDDINGE, NACKA, Town};

/// Texts that are typed, with the one that stands for all that are equal to it.
const TEXTS: &[(&str, &str)] = &[
    ("Fler bost\u{e4}der", "Fler bostäder"),
    ("Fler bosta\u{308}der", "Fler bostäder"),
    ("Ny park", "Ny park"),
    ("våren", "våren"),
];
const COSTS: &[(&str, &str)] = &[
    ("5000000 SEK\n50 000 kr", "5000000 SEK"),
    ("5000000 SEK\n50000", "5000000 SEK"),
    ("100 SEK\n1 kr", "100 SEK"),
    ("?\nenligt avtal", "?\nenligt avtal"),
    ("?\nca 5", "?\nca 5"),
];

/// The text that stands for all that say the same.
pub(crate) fn canonical(bytes: &[u8]) -> &[u8] {
    let known = TEXTS.iter().chain(COSTS).find(|(typed, _)| typed.as_bytes() == bytes);
    known.map_or(bytes, |(_, stands)| stands.as_bytes())
}

/// Steps of a history.
pub(crate) fn steps() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(any::<u64>(), 1..90)
}

/// How each law is tried: with the same histories every time, or with as many new ones as `PROPTEST_CASES` says. A
/// history that breaks a law is written down as a test of its own, not in a file of seeds.
pub(crate) fn tries(cases: u32) -> ProptestConfig {
    let (cases, rng_seed) = match std::env::var("PROPTEST_CASES").map(|cases| cases.parse()) {
        Ok(Ok(more)) => (more, RngSeed::Random),
        _ => (cases, RngSeed::Fixed(286)),
    };
    ProptestConfig {
        cases,
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..ProptestConfig::default()
    }
}

/// What happened when these steps were taken.
pub(crate) fn history(steps: &[u64]) -> Town {
    let mut play = Play::new();
    for step in steps {
        play.step(&mut Dice(*step));
    }
    for who in [HUDDINGE, NACKA, HANINGE] {
        play.send(who);
    }
    play.town
}

/// A record that a restore lost, and where it stood.
struct Lost {
    epoch: EpochId,
    position: Position,
    proved: bool,
    body: EventBody,
}

struct Play {
    town: Town,
    /// Units that are not sent: one event or a group.
    outbox: [VecDeque<Vec<EventBody>>; 3],
    lost: Vec<Lost>,
    /// In which order replicas first heard of each event, over all restores.
    heard: BTreeMap<EventId, usize>,
    /// Restores never reach back to before the programme was set up.
    floor: usize,
}

impl Play {
    fn new() -> Self {
        let town = Town::new();
        let floor = town.log.len();
        Self { town, outbox: Default::default(), lost: Vec::new(), heard: BTreeMap::new(), floor }
    }

    fn step(&mut self, dice: &mut Dice) {
        let who = dice.below(3);
        match dice.below(100) {
            0..60 => {
                let body = self.author(who, dice);
                self.outbox[who].push_back(vec![body]);
                if dice.chance(60) {
                    self.send(who);
                }
            }
            60..66 => {
                let members = (0..2 + dice.below(2)).map(|_| self.author(who, dice)).collect();
                self.outbox[who].push_back(members);
                if dice.chance(60) {
                    self.send(who);
                }
            }
            66..73 => self.send(who),
            73..85 => {
                self.push_again(who);
                self.town.look(who);
            }
            85..92 => {
                let days = dice.pick(&[1, 1, 2, 7, 30, 200]);
                self.town.pass(days);
            }
            92..95 => self.town.devices[who].clock_off = dice.pick(&[0, 0, -1, 2, -3_650, 730]),
            95..97 => self.restore(dice),
            _ => {
                // Another replica comes back and pushes what it holds of the lost end.
                let count = dice.below(self.lost.len() + 1);
                self.land_lost(count);
            }
        }
    }

    fn send(&mut self, who: usize) {
        self.push_again(who);
        while let Some(unit) = self.outbox[who].pop_front() {
            if !unit.iter().all(|body| self.is_closed(body)) {
                continue;
            }
            // Whatever the verdict: it is a record of the log.
            let _ = match unit.as_slice() {
                [body] => self.town.land(body, None).map(|_| ()),
                members => self.town.land_group(members),
            };
        }
    }

    /// A view that lacks what an own event in it had seen is refused. A view in an epoch that is lost itself holds nothing.
    fn is_closed(&self, body: &EventBody) -> bool {
        let Some(vouched) = self.town.state.vouched(&body.base) else { return true };
        let own = self.town.log.iter().filter_map(|record| record.body());
        let own = own.filter(|own| own.device_id == body.device_id && own.device_seq <= body.base.seq);
        let seen = own.map(|own| self.town.state.clamp(&own.base)).max();
        seen.is_none_or(|seen| seen <= vouched)
    }

    fn restore(&mut self, dice: &mut Dice) {
        let head = self.town.log.len();
        if head < self.floor + 4 {
            return;
        }
        let cut = self.floor + dice.below(head - self.floor - 1);
        let proved_to = cut + dice.below(head - cut + 1);
        let mut epoch = EpochId::default();
        let mut epochs = Vec::new();
        for record in &self.town.log {
            epochs.push(epoch);
            let order = self.heard.len();
            self.heard.entry(record.event_id).or_insert(order);
            if let Some(Change::EpochOpened { epoch_id, .. }) = record.body().map(|body| &body.change) {
                epoch = *epoch_id;
            }
        }
        let lost = self.town.restore(Position::new(u64::try_from(cut).unwrap()));
        for (record, epoch) in lost.into_iter().zip(epochs.split_off(cut)) {
            let Entry::Accepted { body, .. } = record.entry else { continue };
            if !matches!(body.change, Change::EpochOpened { .. }) {
                let proved = record.position.get() <= u64::try_from(proved_to).unwrap();
                self.lost.push(Lost { epoch, position: record.position, proved, body: *body });
            }
        }
        // What an earlier restore lost may have come after what this one loses.
        self.lost.sort_by_key(|lost| self.heard[&lost.body.event_id]);
    }

    /// A replica pushes the lost records that it holds, in their old order, and then its own, before anything else.
    fn push_again(&mut self, who: usize) {
        let view = self.town.devices[who].view();
        let held = |lost: &Lost| lost.epoch == view.epoch && lost.position <= view.position;
        let count = self.lost.iter().rposition(held).map_or(0, |last| last + 1);
        self.land_lost(count);
        let own = self.town.devices[who].id;
        let (own, others) =
            std::mem::take(&mut self.lost).into_iter().partition(|l: &Lost| l.body.device_id == own);
        self.lost = others;
        for lost in own {
            if self.is_closed(&lost.body) {
                let _ = self.town.land(&lost.body, None);
            }
        }
    }

    fn land_lost(&mut self, count: usize) {
        for lost in self.lost.drain(..count).collect::<Vec<_>>() {
            let stood = First { epoch: lost.epoch, position: lost.position };
            let first = (lost.proved && self.town.state.lost(stood)).then_some(stood);
            if self.is_closed(&lost.body) {
                let _ = self.town.land(&lost.body, first);
            }
        }
    }

    fn author(&mut self, who: usize, dice: &mut Dice) -> EventBody {
        let base = self.form(who, dice);
        let mut draft = if dice.chance(22) {
            self.resolution(who, base, dice).unwrap_or_else(|| self.edit(dice))
        } else {
            self.edit(dice)
        };
        if dice.chance(40) {
            draft.effective_on = Some(self.some_day(dice));
        }
        if dice.chance(8) {
            draft.expect = self.expectation(dice).into_iter().collect();
        }
        self.town.author(who, base, draft)
    }

    /// Mostly what the device shows now; sometimes a form that somebody left open.
    fn form(&mut self, who: usize, dice: &mut Dice) -> Base {
        let views = &self.town.devices[who].views;
        if dice.chance(70) {
            self.town.devices[who].view()
        } else {
            views[views.len() - 1 - dice.below(views.len().min(8))]
        }
    }

    fn some_day(&self, dice: &mut Dice) -> CivilDate {
        let days = dice.pick(&[-400, -30, -1, 0, 0, 1, 10, 10, 400]);
        // Round to a few days, so that dates meet.
        CivilDate::from_days((self.town.today().days() + days) / 10 * 10).unwrap()
    }

    /// Of what is known, the first one most of the time: that is where people meet.
    fn one(entities: &[EntityId], dice: &mut Dice) -> EntityId {
        if dice.chance(70) { entities[0] } else { dice.pick(entities) }
    }

    fn any_entity(&self, dice: &mut Dice) -> EntityId {
        let town = &self.town;
        let kinds = [&town.areas, &town.subgoals, &town.activities, &town.parties].map(Vec::as_slice);
        Self::one(dice.pick(&kinds), dice)
    }

    fn edit(&mut self, dice: &mut Dice) -> Draft {
        let activity = Self::one(&self.town.activities, dice);
        let party = Self::one(&self.town.parties, dice);
        match dice.below(100) {
            0..50 => {
                let fields =
                    [FieldKey::Title, FieldKey::Comment, FieldKey::Cost, FieldKey::Cost, FieldKey::Time];
                typed(activity, dice.pick(&fields), dice)
            }
            50..56 => typed(Self::one(&self.town.areas, dice), FieldKey::Goal, dice),
            56..60 => typed(party, FieldKey::Name, dice),
            60..66 => {
                let value = if dice.chance(70) { NewValue::Party(party) } else { NewValue::Cleared };
                Draft::new(Change::FieldRevised { entity: activity, field: FieldKey::Lead, value })
            }
            66..76 if dice.chance(50) => Draft::new(Change::ResponsibleAssigned { activity, party }),
            66..76 => Draft::new(Change::ResponsibleUnassigned { activity, party }),
            76..82 => {
                let parent = dice.pick(&self.town.subgoals);
                let order_key = dice.pick(&["1", "2", "i"]).to_owned();
                Draft::new(Change::Placed { entity: activity, parent, order_key })
            }
            82..90 => {
                let entity = self.any_entity(dice);
                match dice.below(4) {
                    0 | 1 => Draft::new(Change::Retired { entity, merged_into: None }),
                    2 => Draft::new(Change::Restored { entity }),
                    _ => Draft::new(Change::Retired { entity, merged_into: Some(self.any_entity(dice)) }),
                }
            }
            90..94 => self.addition(dice),
            94..96 => self.baseline(dice),
            // Fields that the entity may not have, and things that nobody added.
            _ => {
                let entity = if dice.chance(50) { self.any_entity(dice) } else { self.town.fresh() };
                typed(entity, dice.pick(&[FieldKey::Title, FieldKey::Goal, FieldKey::Name]), dice)
            }
        }
    }

    /// A name for a point, mostly one that the log has.
    fn baseline(&self, dice: &mut Dice) -> Draft {
        let state = &self.town.state;
        let epoch = if dice.chance(70) { state.epoch() } else { EpochId::default() };
        let position = Position::new(u64::try_from(dice.below(self.town.log.len() + 2)).unwrap());
        let effective_on = self.some_day(dice);
        Draft::new(Change::BaselineSet { epoch, position, effective_on })
            .with_text(Slot::BASELINE_NAME, dice.pick(&["Remiss", "Beslutad"]))
    }

    fn addition(&mut self, dice: &mut Dice) -> Draft {
        let id = self.town.fresh();
        let order_key = dice.pick(&["1", "2", "i"]).to_owned();
        let parties = self.town.parties.clone();
        match dice.below(4) {
            0 => {
                self.town.areas.push(id);
                let added = Change::AreaAdded { area: id, order_key, source: None };
                Draft::new(added).with_text(Slot::TITLE, "Klimat")
            }
            1 => {
                let area = self.any_entity(dice);
                self.town.subgoals.push(id);
                let added = Change::SubgoalAdded { subgoal: id, area, order_key, source: None };
                Draft::new(added).with_text(Slot::TITLE, "Grönare")
            }
            2 => {
                self.town.parties.push(id);
                let organisation = dice.chance(50).then(|| dice.pick(&parties));
                let added =
                    Change::PartyAdded { party: id, kind: PartyKind::Person, organisation, source: None };
                Draft::new(added).with_text(Slot::NAME, "Anna Br")
            }
            _ => {
                let subgoal = dice.pick(&self.town.subgoals);
                self.town.activities.push(id);
                let mut responsible = vec![dice.pick(&parties), dice.pick(&parties)];
                responsible.sort_unstable();
                responsible.dedup();
                let lead = dice.chance(50).then(|| dice.pick(&parties));
                let activity = id;
                let added =
                    Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, source: None };
                Draft::new(added)
                    .with_text(Slot::TITLE, "Cykelbana")
                    .with_text(Slot::TIME, "Löpande")
                    .with_value(Slot::COST, COSTS[0].0.as_bytes().to_vec())
            }
        }
    }

    /// Decides between writes that the author has seen; now and then also one that it has not.
    fn resolution(&self, who: usize, base: Base, dice: &mut Dice) -> Option<Draft> {
        let activity = Self::one(&self.town.activities, dice);
        let fields = [
            FieldKey::Title,
            FieldKey::Comment,
            FieldKey::Cost,
            FieldKey::Lead,
            FieldKey::Place,
            FieldKey::Life,
        ];
        let field = dice.pick(&fields);
        let naive = Naive::new(&self.town.log);
        let lines = naive.writes.get(&(activity, field))?;
        let mut asker = lines.first()?.body.clone();
        asker.base = base;
        asker.device_id = self.town.devices[who].id;
        asker.device_seq = base.seq.next();
        asker.change = Change::Unknown;
        let any = dice.chance(10);
        let seen: Vec<&Line<'_>> = lines
            .iter()
            .filter(|line| any || naive.has_seen(&asker, Position::new(u64::MAX), line))
            .collect();
        let chosen = &seen[seen.len().saturating_sub(1 + dice.below(3))..];
        let mut settles: Vec<EventId> = chosen.iter().map(|line| line.event).collect();
        settles.sort_unstable();
        let taken = chosen.get(dice.below(chosen.len().max(1)))?;
        let resolved = |take, stands| {
            Draft::new(Change::ConflictResolved {
                entity: activity,
                field,
                settles: settles.clone(),
                take,
                stands,
            })
        };
        if dice.chance(60) {
            return Some(resolved(Some(taken.event), fold::standing_of(&taken.content)));
        }
        let value = |texts: &[(&str, &str)], dice: &mut Dice| dice.pick(texts).0.as_bytes().to_vec();
        Some(match field {
            FieldKey::Lead => resolved(None, Standing::Party(dice.pick(&self.town.parties))),
            FieldKey::Place => {
                let parent = dice.pick(&self.town.subgoals);
                resolved(None, Standing::Place { parent, order_key: "k".to_owned() })
            }
            FieldKey::Life => resolved(None, Standing::Life { retired: dice.chance(50), merged_into: None }),
            FieldKey::Cost => resolved(None, Standing::Sealed).with_value(Slot::COST, value(COSTS, dice)),
            _ => resolved(None, Standing::Sealed).with_value(field.slot()?, value(TEXTS, dice)),
        })
    }

    fn expectation(&self, dice: &mut Dice) -> Option<Expectation> {
        let activity = Self::one(&self.town.activities, dice);
        let field = dice.pick(&[FieldKey::Title, FieldKey::Comment, FieldKey::Cost]);
        self.town.state.entity(activity).filter(|entity| entity.kind == EntityKind::Activity)?;
        let mut expected = expectations(&self.town.state, self.town.today(), activity, field);
        if dice.chance(30) {
            expected.sides.pop();
        }
        Some(expected)
    }
}

fn typed(entity: EntityId, field: FieldKey, dice: &mut Dice) -> Draft {
    if dice.chance(12) {
        return Draft::new(Change::FieldRevised { entity, field, value: NewValue::Cleared });
    }
    let texts = if field == FieldKey::Cost { COSTS } else { TEXTS };
    let draft = Draft::new(Change::FieldRevised { entity, field, value: NewValue::Sealed });
    draft.with_value(field.slot().unwrap(), dice.pick(texts).0.as_bytes().to_vec())
}
