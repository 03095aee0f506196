//! Beginning to take part: what a new replica calls itself, and the first events that it writes.
//!
//! Who may begin a programme and enrol a device is the server's to say; here is only what is handed in.

use radslag_core::command::Draft;
use radslag_core::event::{Authority, Base, Change};
use radslag_core::id::{DeviceId, MemberId, OrgId, ProgramId};
use radslag_core::judge;
use radslag_core::parse::nfc_eq;
use radslag_core::value::{Slot, Values as _};
use radslag_engine::clock::IdSource;

use crate::author::Act;
use crate::error::ClientError;
use crate::replica::Replica;
use crate::settings::{FOLDER, Settings};

impl Settings {
    /// A member and a device that nobody has met yet. `server` is `http://host:port` or `https://host`, `name` the member's.
    pub fn fresh(server: &str, program: ProgramId, org: OrgId, name: &str, ids: &dyn IdSource) -> Self {
        Self {
            server: server.to_owned(),
            ca: None,
            program,
            org,
            member: MemberId::new(ids.random_id()),
            name: name.to_owned(),
            device: DeviceId::new(ids.random_id()),
        }
    }
}

impl Replica {
    /// Queues the beginning of the replica's programme and the admission of its organisation and member; [`Replica::create`] hands
    /// them in. `log_key` is what [`Hello`](radslag_proto::api::v1::HelloResponse) says: the programme is begun on that server alone.
    ///
    /// # Errors
    /// As for [`Replica::queue`]; so where the replica has a programme already.
    pub fn found(&mut self, title: &str, log_key: [u8; 32]) -> Result<(), ClientError> {
        let device_key = *self.key.public().bytes();
        let created = Draft::new(Change::ProgramCreated { log_key, device_key, rules: judge::RULES });
        let created = created.with_value(Slot::TITLE, title.as_bytes().to_vec());
        self.queue(Base::default(), vec![created], &Act::default(), false)?;
        let admission = vec![self.organisation(), self.member()];
        self.queue(self.base(), admission, &Act::default(), true)?;
        Ok(())
    }

    /// Queues what introduces the device, and its member and organisation where they are new, as one group; the next push hands it in. To be
    /// called when the log was pulled: a member of the same name in the same organisation is taken for the same person on another machine, and
    /// becomes the replica's member.
    ///
    /// # Errors
    /// As for [`Replica::queue`], or the settings cannot be written.
    pub fn introduce(&mut self) -> Result<(), ClientError> {
        let known = self.known_member();
        if let Some(member) = known {
            self.settings.member = member;
            // A replica on somebody else's log has no folder.
            if !self.dir.as_os_str().is_empty() {
                self.settings.save(&self.dir.join(FOLDER))?;
            }
        }
        let mut drafts = vec![Draft::new(Change::DeviceEnrolled {
            device_id: self.settings.device,
            public_key: *self.key.public().bytes(),
            member_id: self.settings.member,
            org_id: self.settings.org.clone(),
            authority: Authority::Open,
        })];
        if !self.ledger.state.organisations().contains_key(&self.settings.org) {
            drafts.push(self.organisation());
        }
        if known.is_none() {
            drafts.push(self.member());
        }
        self.queue(self.base(), drafts, &Act::default(), true)?;
        Ok(())
    }

    fn organisation(&self) -> Draft {
        Draft::new(Change::OrganisationAdmitted { org_id: self.settings.org.clone(), party: None })
    }

    fn member(&self) -> Draft {
        let (member_id, org_id) = (self.settings.member, self.settings.org.clone());
        Draft::new(Change::MemberAdmitted { member_id, org_id })
            .with_text(Slot::MEMBER_NAME, &self.settings.name)
    }

    /// The member of the same name in the same organisation, if there is one.
    fn known_member(&self) -> Option<MemberId> {
        let view = self.view();
        let members = view.state.members().iter();
        let mut same = members.filter(|(_, member)| {
            member.org == self.settings.org
                && view.text(member.name).is_some_and(|name| nfc_eq(&name, &self.settings.name))
        });
        same.next().map(|(id, _)| *id)
    }
}
