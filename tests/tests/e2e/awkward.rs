//! Awkward texts through every text field and back: what is taken is shown everywhere as it was typed, and what is not taken changes nothing.

use radslag_tests::Town;

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

#[test]
fn an_awkward_text_comes_back_as_it_was_typed() {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["sync"]);
    let mut taken = Vec::new();
    for text in AWKWARD {
        let before = haninge.object(&["status"])["outbox"].clone();
        let fields =
            ["--title", text, "--comment", text, "--time", text, "--reason", text, "--decision", text];
        let edit = haninge
            .cli(&["activity", "add", "--subgoal", "Vi positionerar Södertörn", "--format", "json"])
            .args(&fields)
            .run();
        assert!(!edit.err.contains("panicked"), "{text:?}: {edit}");
        if edit.code == Some(0) {
            let event = edit.object()["queued"][0].as_str().unwrap().to_owned();
            taken.push((*text, event));
        } else {
            assert!(matches!(edit.code, Some(1 | 2)) && edit.err.contains("error:"), "{text:?}: {edit}");
            assert_eq!(haninge.object(&["status"])["outbox"], before, "{text:?}: {edit}");
        }
    }
    assert!(taken.len() * 10 > AWKWARD.len() * 9, "{} of {} were taken", taken.len(), AWKWARD.len());
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        let log = replica.objects(&["log"]);
        let rows = replica.objects(&["show", "--rows"]);
        for (text, event) in &taken {
            let record = log.iter().find(|record| record["event_id"] == **event).unwrap();
            assert_eq!(
                (&record["reason"], &record["decision"]),
                (&(*text).into(), &(*text).into()),
                "{text:?}"
            );
            assert_eq!(record["title"], *text);
            let row = rows.iter().find(|row| row["title"] == *text).unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!((&row["comment"], &row["time"]), (&(*text).into(), &(*text).into()), "{text:?}");
        }
        replica.does(&["verify"]);
        // And in a table, from which another replica's table is the same.
        assert_eq!(replica.exported(&[]), haninge.exported(&[]));
        // Shown to people, no line of a table is torn.
        replica.does(&["show"]);
        replica.does(&["log"]);
    }
}
