//! The kinds of change: one match in each direction, the shapes in one file per family.

mod additions;
mod edits;
mod membership;
mod resolution;

use radslag_core::event::Change;

use super::{At, ConvertError};
use crate::event::v1::event_body::Change as Wire;

/// The kind's name: that of the field in `EventBody.change`.
pub(crate) const fn name_of(change: &Wire) -> &'static str {
    match change {
        Wire::ProgramCreated(_) => "program_created",
        Wire::OrganisationAdmitted(_) => "organisation_admitted",
        Wire::MemberAdmitted(_) => "member_admitted",
        Wire::DeviceEnrolled(_) => "device_enrolled",
        Wire::AreaAdded(_) => "area_added",
        Wire::SubgoalAdded(_) => "subgoal_added",
        Wire::ActivityAdded(_) => "activity_added",
        Wire::PartyAdded(_) => "party_added",
        Wire::FieldRevised(_) => "field_revised",
        Wire::ResponsibleAssigned(_) => "responsible_assigned",
        Wire::ResponsibleUnassigned(_) => "responsible_unassigned",
        Wire::Placed(_) => "placed",
        Wire::Retired(_) => "retired",
        Wire::Restored(_) => "restored",
        Wire::ConflictResolved(_) => "conflict_resolved",
        Wire::SourceImported(_) => "source_imported",
        Wire::EpochOpened(_) => "epoch_opened",
        Wire::RulesAdopted(_) => "rules_adopted",
        Wire::BaselineSet(_) => "baseline_set",
    }
}

/// Every name that [`name_of`] gives.
const KINDS: [&str; 19] = [
    "program_created",
    "organisation_admitted",
    "member_admitted",
    "device_enrolled",
    "area_added",
    "subgoal_added",
    "activity_added",
    "party_added",
    "field_revised",
    "responsible_assigned",
    "responsible_unassigned",
    "placed",
    "retired",
    "restored",
    "conflict_resolved",
    "source_imported",
    "epoch_opened",
    "rules_adopted",
    "baseline_set",
];

/// Whether this version has a kind of that name.
pub(crate) fn is_known_kind(name: &str) -> bool {
    KINDS.contains(&name)
}

/// Reads a change of schema version 1.
pub(crate) fn read_first_shape(change: &Wire) -> Result<Change, ConvertError> {
    let read = match change {
        Wire::ProgramCreated(m) => membership::read_program_created(m),
        Wire::OrganisationAdmitted(m) => membership::read_organisation_admitted(m),
        Wire::MemberAdmitted(m) => membership::read_member_admitted(m),
        Wire::DeviceEnrolled(m) => membership::read_device_enrolled(m),
        Wire::AreaAdded(m) => additions::read_area_added(m),
        Wire::SubgoalAdded(m) => additions::read_subgoal_added(m),
        Wire::ActivityAdded(m) => additions::read_activity_added(m),
        Wire::PartyAdded(m) => additions::read_party_added(m),
        Wire::FieldRevised(m) => edits::read_field_revised(m),
        Wire::ResponsibleAssigned(m) => edits::read_responsible_assigned(m),
        Wire::ResponsibleUnassigned(m) => edits::read_responsible_unassigned(m),
        Wire::Placed(m) => edits::read_placed(m),
        Wire::Retired(m) => edits::read_retired(m),
        Wire::Restored(m) => edits::read_restored(m),
        Wire::ConflictResolved(m) => resolution::read_conflict_resolved(m),
        Wire::SourceImported(m) => additions::read_source_imported(m),
        Wire::EpochOpened(m) => membership::read_epoch_opened(m),
        Wire::RulesAdopted(m) => membership::read_rules_adopted(m),
        Wire::BaselineSet(m) => membership::read_baseline_set(m),
    };
    read.at(name_of(change))
}

/// Writes a change in its newest shape; none for a kind that this version does not know.
pub(crate) fn write(change: &Change) -> Option<Wire> {
    Some(match change {
        Change::ProgramCreated { log_key, device_key, rules } => {
            Wire::ProgramCreated(membership::write_program_created(log_key, device_key, *rules))
        }
        Change::OrganisationAdmitted { org_id, party } => {
            Wire::OrganisationAdmitted(membership::write_organisation_admitted(org_id, *party))
        }
        Change::MemberAdmitted { member_id, org_id } => {
            Wire::MemberAdmitted(membership::write_member_admitted(*member_id, org_id))
        }
        Change::DeviceEnrolled { device_id, public_key, member_id, org_id, authority } => {
            Wire::DeviceEnrolled(membership::write_device_enrolled(
                *device_id, public_key, *member_id, org_id, *authority,
            ))
        }
        Change::AreaAdded { area, order_key, source } => {
            Wire::AreaAdded(additions::write_area_added(*area, order_key, source.as_ref()))
        }
        Change::SubgoalAdded { subgoal, area, order_key, source } => {
            Wire::SubgoalAdded(additions::write_subgoal_added(*subgoal, *area, order_key, source.as_ref()))
        }
        Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, source } => {
            Wire::ActivityAdded(additions::write_activity_added(
                *activity,
                *subgoal,
                order_key,
                responsible,
                *lead,
                source.as_ref(),
            ))
        }
        Change::PartyAdded { party, kind, organisation, source } => {
            Wire::PartyAdded(additions::write_party_added(*party, *kind, *organisation, source.as_ref()))
        }
        Change::FieldRevised { entity, field, value } => {
            Wire::FieldRevised(edits::write_field_revised(*entity, *field, *value))
        }
        Change::ResponsibleAssigned { activity, party } => {
            Wire::ResponsibleAssigned(edits::write_responsible_assigned(*activity, *party))
        }
        Change::ResponsibleUnassigned { activity, party } => {
            Wire::ResponsibleUnassigned(edits::write_responsible_unassigned(*activity, *party))
        }
        Change::Placed { entity, parent, order_key } => {
            Wire::Placed(edits::write_placed(*entity, *parent, order_key))
        }
        Change::Retired { entity, merged_into } => Wire::Retired(edits::write_retired(*entity, *merged_into)),
        Change::Restored { entity } => Wire::Restored(edits::write_restored(*entity)),
        Change::ConflictResolved { entity, field, settles, take, stands } => Wire::ConflictResolved(
            resolution::write_conflict_resolved(*entity, *field, settles, *take, stands),
        ),
        Change::SourceImported { dialect } => Wire::SourceImported(additions::write_source_imported(dialect)),
        Change::EpochOpened { epoch_id, cut_position, cut_root } => {
            Wire::EpochOpened(membership::write_epoch_opened(*epoch_id, *cut_position, cut_root))
        }
        Change::RulesAdopted { version } => Wire::RulesAdopted(membership::write_rules_adopted(*version)),
        Change::BaselineSet { epoch, position, effective_on } => {
            Wire::BaselineSet(membership::write_baseline_set(*epoch, *position, *effective_on))
        }
        Change::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::KINDS;

    #[test]
    fn the_kinds_are_the_members_of_the_oneof() {
        let files = FileDescriptorSet::decode(crate::DESCRIPTORS).unwrap();
        let messages = files.file.iter().flat_map(|file| &file.message_type);
        let body = messages.into_iter().find(|message| message.name() == "EventBody").unwrap();
        let oneof = body.oneof_decl.iter().position(|oneof| oneof.name() == "change").unwrap();
        let oneof = i32::try_from(oneof).unwrap();
        let members =
            body.field.iter().filter(|field| field.oneof_index == Some(oneof) && !field.proto3_optional());
        assert_eq!(members.map(|field| field.name().to_owned()).collect::<Vec<_>>(), KINDS);
    }
}
