//! debug
use radslag_tests::sim::{laws, member::recorded, plan::Plan, world::World};
fn main() {
    let line = std::env::args().nth(1).unwrap();
    let plan: Plan = serde_json::from_str(&line).unwrap();
    let mut world = World::new(plan.seed, plan.replicas);
    for step in &plan.steps {
        if let Err(e) = world.step(step) {
            println!("step {step:?}: {e}");
        }
    }
    println!("rest {:?}", world.come_to_rest());
    println!("{:?}", laws::check(&world).map(|_| ()));
    for r in recorded(world.server.disk.as_ref(), world.program).unwrap().iter().skip(24) {
        let b = r.body();
        println!(
            "{} {} dev {:?} seq {:?} base {:?} facts.first {:?} kind {:?} shown {:?}",
            r.position,
            r.event_id.short(),
            b.map(|b| b.device_id.to_string()[..8].to_owned()),
            b.map(|b| b.device_seq),
            b.map(|b| b.base),
            match &r.entry {
                radslag_core::record::Entry::Accepted { facts, .. } => format!("{:?}", facts.first),
                radslag_core::record::Entry::Rejected(f) => format!("REJ {f:?}"),
            },
            b.map(|b| b.kind.clone()),
            world.book.get(&r.event_id)
        );
    }
    for (e, l) in &world.ended {
        println!(
            "ended {e}: {:?}",
            l.iter()
                .filter(|(_, p)| p.get() > 24)
                .map(|(e, p)| (e.short().to_string(), p.get()))
                .collect::<Vec<_>>()
        );
    }
    for m in &world.members {
        println!(
            "member {} quarantine {:?}",
            m.replica.settings.device,
            m.replica
                .quarantined()
                .unwrap()
                .iter()
                .map(|q| (q.body.event_id.short().to_string(), q.reason.clone()))
                .collect::<Vec<_>>()
        );
    }
}
