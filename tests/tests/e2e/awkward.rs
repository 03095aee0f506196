//! Awkward texts through every text field and back: what is taken is shown everywhere as it was typed, and what is not taken changes nothing.

use radslag_tests::{Municipality, Town};

/// Texts that other programs stumble over, by what they stumble over.
const AWKWARD: &[&str] = &[
    // Numbers and words of programs.
    "0",
    "-1",
    "1e309",
    "NaN",
    "null",
    "undefined",
    "true",
    "None",
    "0x0",
    "1/0",
    "٣٥",
    "１２",
    // Quotes, brackets and escapes.
    "'",
    "\"",
    "\\",
    "\\n",
    "%s%n",
    "${HOME}",
    "`id`",
    "$(id)",
    "{{7*7}}",
    "<b>Bo</b>",
    "</td><!-- ",
    "';DROP TABLE mål;--",
    "=1+1",
    "+46 8 535 350 00",
    "@SUM(A1)",
    "| rör |",
    "a;b,c\td",
    // Spaces and lines.
    "två  blanksteg",
    "rad\nrad",
    "rad\r\nrad",
    "fast\u{a0}blank",
    "smal\u{202f}blank",
    "noll\u{200b}bredd",
    "mjukt\u{ad}streck",
    // Letters.
    "Å ä ö É ß ﬁ ŋ đ",
    "a\u{30a}",
    "Å\u{323}\u{307}",
    "İstanbul ıI",
    "Ǆ ǅ ǆ",
    "ＦＵＬＬ",
    "𝔘𝔫𝔦",
    "السلام عليكم",
    "שלום",
    "中文字",
    "ไทย",
    "हिन्दी",
    "ᚠᚢᚦ",
    // Pictures and what turns text around.
    "👩\u{200d}👩\u{200d}👧",
    "🇸🇪",
    "❤\u{fe0f}",
    "z\u{311}\u{36b}\u{343}\u{36a}",
    "\u{202e}baklänges\u{202c}",
    "\u{feff}BOM",
    "\u{e000}",
    "\u{fffd}",
];

/// Queues something with an awkward text in it; none where it is not taken, and then nothing has changed.
fn tried(replica: &Municipality, command: &[&str], fields: &[String]) -> Option<String> {
    let before = replica.object(&["status"])["outbox"].clone();
    let tried = replica.cli(command).args(&["--format", "json"]).args(fields).run();
    assert!(!tried.err.contains("panicked"), "{tried}");
    if tried.code == Some(0) {
        return tried.object()["queued"][0].as_str().map(str::to_owned);
    }
    assert!(matches!(tried.code, Some(1 | 2)) && tried.err.contains("error:"), "{tried}");
    assert_eq!(replica.object(&["status"])["outbox"], before, "{tried}");
    None
}

fn all(fields: &[&str], text: &str) -> Vec<String> {
    fields.iter().map(|field| format!("--{field}={text}")).collect()
}

#[test]
fn an_awkward_text_comes_back_as_it_was_typed() {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["sync"]);
    let mut taken = Vec::new();
    for text in AWKWARD {
        let add = ["activity", "add", "--subgoal", "Vi positionerar Södertörn"];
        let fields = all(&["title", "comment", "time", "reason", "decision"], text);
        let activity = tried(&haninge, &add, &fields);
        let area = tried(&haninge, &["area", "add"], &all(&["title", "goal"], text));
        let party = tried(&haninge, &["party", "add"], &all(&["name"], text));
        let baseline =
            tried(&haninge, &["baseline", "add", "--at", "@50"], &["--".to_owned(), (*text).to_owned()]);
        taken.push((*text, [activity, area, party, baseline]));
    }
    let count = taken.iter().flat_map(|(_, events)| events).flatten().count();
    assert!(count * 10 > AWKWARD.len() * 4 * 9, "{count} were taken: {taken:?}");
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        let log = replica.objects(&["log"]);
        let rows = replica.objects(&["show", "--rows"]);
        let blame = replica.objects(&["blame"]);
        let baselines = replica.objects(&["baseline", "list"]);
        for (text, [activity, area, party, baseline]) in &taken {
            let said = |field: &str, event: &Option<String>| {
                let line = blame
                    .iter()
                    .find(|line| line["event_id"].as_str() == event.as_deref() && line["field"] == field);
                assert!(
                    event.is_none() || line.is_some_and(|line| line["value"] == *text),
                    "{text:?}: {field}"
                );
            };
            if let Some(event) = activity {
                let record = log.iter().find(|record| record["event_id"] == **event).unwrap();
                for field in ["reason", "decision", "title"] {
                    assert_eq!(record[field], *text, "{field}");
                }
                let row = rows.iter().find(|row| row["title"] == *text).unwrap_or_else(|| panic!("{text:?}"));
                assert_eq!((&row["comment"], &row["time"]), (&(*text).into(), &(*text).into()), "{text:?}");
            }
            for (field, event) in [("title", area), ("goal", area), ("name", party)] {
                said(field, event);
            }
            assert!(
                baseline.is_none() || baselines.iter().any(|baseline| baseline["name"] == *text),
                "{text:?}"
            );
        }
        replica.does(&["verify"]);
        // And in a table, from which another replica's table is the same.
        assert_eq!(replica.exported(&[]), haninge.exported(&[]));
        replica.does(&["show"]);
        replica.does(&["log"]);
    }
}
