//! Who takes part, and the log's own turns: programme, organisations, members, devices, epochs, rules, named points.

use radslag_core::digest::Digest;
use radslag_core::event::{Authority, Change};
use radslag_core::id::{DeviceId, EntityId, EpochId, MemberId, OrgId, Position};
use radslag_core::time::CivilDate;

use crate::convert::field::{authority_from_wire, authority_to_wire};
use crate::convert::id::{Id, digest, fixed, id, optional_bytes, optional_id, org, real_id};
use crate::convert::{At, ConvertError, ensure, wrong};
use crate::event::v1 as wire;

fn version(number: u32) -> Result<u32, ConvertError> {
    ensure(number >= 1, "is 0, versions start at 1")?;
    Ok(number)
}

pub(super) fn read_program_created(m: &wire::ProgramCreated) -> Result<Change, ConvertError> {
    Ok(Change::ProgramCreated {
        log_key: fixed(&m.log_key).at("log_key")?,
        device_key: fixed(&m.device_key).at("device_key")?,
        rules: version(m.rules).at("rules")?,
    })
}

pub(super) fn write_program_created(
    log_key: &[u8; 32],
    device_key: &[u8; 32],
    rules: u32,
) -> wire::ProgramCreated {
    wire::ProgramCreated { log_key: log_key.to_vec(), device_key: device_key.to_vec(), rules }
}

pub(super) fn read_organisation_admitted(m: &wire::OrganisationAdmitted) -> Result<Change, ConvertError> {
    Ok(Change::OrganisationAdmitted {
        org_id: org(&m.org_id).at("org_id")?,
        party: optional_id(&m.party_id).at("party_id")?,
    })
}

pub(super) fn write_organisation_admitted(
    org: &OrgId,
    party: Option<EntityId>,
) -> wire::OrganisationAdmitted {
    wire::OrganisationAdmitted { org_id: org.to_string(), party_id: optional_bytes(party) }
}

pub(super) fn read_member_admitted(m: &wire::MemberAdmitted) -> Result<Change, ConvertError> {
    Ok(Change::MemberAdmitted {
        member_id: id(&m.member_id).at("member_id")?,
        org_id: org(&m.org_id).at("org_id")?,
    })
}

pub(super) fn write_member_admitted(member: MemberId, org: &OrgId) -> wire::MemberAdmitted {
    wire::MemberAdmitted { member_id: member.to_vec(), org_id: org.to_string() }
}

pub(super) fn read_device_enrolled(m: &wire::DeviceEnrolled) -> Result<Change, ConvertError> {
    Ok(Change::DeviceEnrolled {
        device_id: id(&m.device_id).at("device_id")?,
        public_key: fixed(&m.public_key).at("public_key")?,
        member_id: id(&m.member_id).at("member_id")?,
        org_id: org(&m.org_id).at("org_id")?,
        authority: authority_from_wire(m.authority).at("authority")?,
    })
}

pub(super) fn write_device_enrolled(
    device: DeviceId,
    public_key: &[u8; 32],
    member: MemberId,
    org: &OrgId,
    authority: Authority,
) -> wire::DeviceEnrolled {
    wire::DeviceEnrolled {
        device_id: device.to_vec(),
        public_key: public_key.to_vec(),
        member_id: member.to_vec(),
        org_id: org.to_string(),
        authority: authority_to_wire(authority).into(),
    }
}

pub(super) fn read_epoch_opened(m: &wire::EpochOpened) -> Result<Change, ConvertError> {
    Ok(Change::EpochOpened {
        epoch_id: real_id(&m.epoch_id).at("epoch_id")?,
        cut_position: Position::new(m.cut_position),
        cut_root: digest(&m.cut_root).at("cut_root")?,
    })
}

pub(super) fn write_epoch_opened(epoch: EpochId, cut: Position, root: &Digest) -> wire::EpochOpened {
    wire::EpochOpened { epoch_id: epoch.to_vec(), cut_position: cut.get(), cut_root: root.bytes().to_vec() }
}

pub(super) fn read_rules_adopted(m: &wire::RulesAdopted) -> Result<Change, ConvertError> {
    Ok(Change::RulesAdopted { version: version(m.version).at("version")? })
}

pub(super) fn write_rules_adopted(version: u32) -> wire::RulesAdopted {
    wire::RulesAdopted { version }
}

pub(super) fn read_baseline_set(m: &wire::BaselineSet) -> Result<Change, ConvertError> {
    ensure(m.position > 0, "is 0, positions start at 1").at("position")?;
    let day = CivilDate::from_days(m.effective_on);
    Ok(Change::BaselineSet {
        epoch: id(&m.epoch_id).at("epoch_id")?,
        position: Position::new(m.position),
        effective_on: day
            .ok_or_else(|| wrong("is not between 1900-01-01 and 2199-12-31"))
            .at("effective_on")?,
    })
}

pub(super) fn write_baseline_set(epoch: EpochId, position: Position, on: CivilDate) -> wire::BaselineSet {
    wire::BaselineSet { epoch_id: epoch.to_vec(), position: position.get(), effective_on: on.days() }
}
