//! The official's files: the programme out to a spreadsheet and back again, as proposals that overwrite nobody.

use std::fs;
use std::path::{Path, PathBuf};

use radslag_tests::{Municipality, Town, sample};
use serde_json::json;

fn two() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["pull"]);
    (town, haninge, huddinge)
}

fn export(replica: &Municipality, file: &Path, args: &[&str]) -> String {
    replica.cli(&["export", "--to"]).arg(file).args(args).run().done();
    fs::read_to_string(file).unwrap()
}

/// Changes the line that has a text: puts `new` in the place of `old` there.
#[track_caller]
fn change(file: &Path, line: &str, old: &str, new: &str) {
    let text = fs::read_to_string(file).unwrap();
    let changed: Vec<String> = text
        .split("\r\n")
        .map(|one| if one.contains(line) { one.replacen(old, new, 1) } else { one.to_owned() })
        .collect();
    let changed = changed.join("\r\n");
    assert_ne!(changed, text, "nothing was changed");
    fs::write(file, changed).unwrap();
}

fn csv(town: &Town) -> PathBuf {
    town.path("plan.csv")
}

#[test]
fn a_programme_goes_out_as_csv_and_json_and_comes_back_without_a_change() {
    let (town, haninge, _) = two();
    let file = csv(&town);
    let text = export(&haninge, &file, &["--lang", "sv"]);
    assert!(text.starts_with(
        "\u{feff}Område och huvudmål;Delmål;Aktivitet;Ansvarig;Tid;Kostnad;Kommentar;Id;Bas\r\n"
    ));
    // The title, 13 headings, 21 sub-goals and 32 activities.
    assert_eq!(text.matches("\r\n").count(), 1 + 1 + 13 + 21 + 32);
    for name in ["plan.csv", "plan.json"] {
        let file = town.path(name);
        export(&haninge, &file, &[]);
        let dry = haninge.cli(&["import", "--dry-run", "--format", "json"]).arg(&file).run().done().object();
        assert_eq!(
            [&dry["changes"], &dry["missing"], &dry["not_understood"]],
            [&json!([]), &json!([]), &json!([])]
        );
        haninge.cli(&["import"]).arg(&file).run().done().says("nothing to change");
    }
    assert_eq!(haninge.object(&["status"])["outbox"], 0);
    // A programme that begins with the file writes the same table, but for its ids.
    let stripped = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.rsplitn(3, ';').last().unwrap().to_owned()).collect()
    };
    let begun = town.path("begun");
    town.cli(&["program", "create", "--server", town.url(), "--import"]).arg(&file).arg(&begun).run().done();
    let back = town.path("back.csv");
    town.cli(&["export", "--lang", "sv", "--replica", "begun", "--to"]).arg(&back).run().done();
    assert_eq!(stripped(&fs::read_to_string(&back).unwrap()), stripped(&text));
    let tsv = town.path("back.tsv");
    town.cli(&["export", "--replica", "begun", "--to"]).arg(&tsv).run().done();
    assert!(fs::read_to_string(tsv).unwrap().contains("Nyckeltalsdagen"));
}

#[test]
fn an_edited_file_conflicts_with_what_came_meanwhile_and_overwrites_nothing() {
    let (town, haninge, huddinge) = two();
    let file = csv(&town);
    export(&haninge, &file, &[]);
    // While the file is away, a neighbour changes the same cost and another time.
    huddinge.does(&["edit", "Nyckeltalsdagen", "--cost", "60 000 kr", "--reason", "budget"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]);
    change(&file, ";Nyckeltalsdagen;", ";Nyckeltalsdagen;", ";Nyckeltalsdagen i maj;");
    let text = fs::read_to_string(&file).unwrap();
    let line = text.split("\r\n").find(|line| line.contains(";Nyckeltalsdagen i maj;")).unwrap();
    let mut cells: Vec<&str> = line.split(';').collect();
    assert_eq!(cells.len(), 9, "{line}");
    cells[5] = "50 tkr";
    fs::write(&file, text.replace(line, &cells.join(";"))).unwrap();

    let before = haninge.standing();
    let dry = haninge.cli(&["import", "--dry-run", "--format", "json"]).arg(&file).run().done().object();
    let changes = dry["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{dry}");
    assert_eq!([&changes[0]["field"], &changes[0]["after"]], ["title", "Nyckeltalsdagen i maj"]);
    assert_eq!([&changes[1]["field"], &changes[1]["before"]], ["cost", ""]);
    assert_eq!(changes[1]["meanwhile"]["by"], "huddinge, Eva");
    let said = haninge.cli(&["import", "--dry-run", "--lang", "sv"]).arg(&file).run().done();
    said.says("ingenting skrivet: 0 nya, 2 ändrade").says("blir en konflikt").says("60\u{a0}000\u{a0}kr");
    assert_eq!(haninge.standing(), before, "a dry run writes nothing");

    haninge.cli(&["import", "--reason", "beredning"]).arg(&file).run().done().says("queued, not synced");
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        let [conflict] = &replica.objects(&["conflicts"])[..] else { panic!("one conflict") };
        assert_eq!(conflict["field"], "cost");
        assert_eq!(conflict["sides"].as_array().unwrap().len(), 2);
        assert_eq!(replica.activity("Nyckeltalsdagen i maj")["title"], "Nyckeltalsdagen i maj");
        replica.does(&["verify"]);
    }
    haninge.cli(&["import"]).arg(&file).run().done().says("already imported: nothing recorded");
}

#[test]
fn a_file_that_was_mailed_to_a_neighbour_is_read_against_what_both_had() {
    let (town, haninge, huddinge) = two();
    let file = csv(&town);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]);
    export(&haninge, &file, &[]);
    haninge.does(&["edit", "Nyckeltalsdagen", "--time", "maj"]);
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    change(&file, ";Nyckeltalsdagen;", ";Nyckeltalsdagen;", ";Nyckeltalsdagarna;");
    let import = huddinge.cli(&["import"]).arg(&file).run().done();
    import.says("from another replica").says("0 new, 1 revised");
    let row = huddinge.activity("Nyckeltalsdagarna");
    assert_eq!([&row["time"], &row["conflicts"]], [&json!("maj"), &json!([])]);
}

#[test]
fn rows_that_were_added_become_activities_once_and_rows_that_were_taken_out_stay() {
    let (town, haninge, huddinge) = two();
    let file = csv(&town);
    let text = export(&haninge, &file, &[]);
    let kept: Vec<&str> = text.split("\r\n").filter(|line| !line.contains(";Nyckeltalsdagen;")).collect();
    let like = text.split("\r\n").find(|line| line.contains(";Nyckeltalsdagen;")).unwrap();
    let cells: Vec<&str> = like.split(';').collect();
    let rows = [
        format!(
            "{};{};Ny konferens;Salem och Nacka kommun;hösten;12,5,0;\"rad ett\r\nrad två\";;",
            cells[0], cells[1]
        ),
        "Nytt område - Nytt mål;Nytt delmål;Första;;;1000;;;".to_owned(),
        "Nytt område - Nytt mål;Nytt delmål;Andra;;;;;;".to_owned(),
    ];
    fs::write(&file, format!("{}{}\r\n", kept.join("\r\n"), rows.join("\r\n"))).unwrap();
    let dry = haninge.cli(&["import", "--dry-run"]).arg(&file).run().done();
    let dry = dry.says("Ny konferens").says("12,5,0").says("Nytt delmål").says("new party: Nacka kommun");
    dry.says("not in the file, stays").says("5 new, 0 revised");
    haninge.cli(&["import"]).arg(&file).run().done();
    let added = haninge.activity("Ny konferens");
    assert_eq!(
        [&added["subgoal"], &added["comment"]],
        [&json!(cells[1].trim_matches('"')), &json!("rad ett\nrad två")]
    );
    assert_eq!(added["cost"], json!({"ore": null, "currency": null, "raw": "12,5,0"}));
    assert_eq!(haninge.activity("Nyckeltalsdagen")["title"], "Nyckeltalsdagen");
    let order: Vec<String> = haninge
        .objects(&["show", "--rows"])
        .iter()
        .map(|row| row["title"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(order[order.len() - 2..], ["Första", "Andra"]);
    // Changed once more, the file does not bring the same rows again.
    fs::write(&file, format!("{}{}\r\n\r\n", kept.join("\r\n"), rows.join("\r\n"))).unwrap();
    haninge.cli(&["import"]).arg(&file).run().done().says("nothing to change");
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    assert_eq!(huddinge.object(&["show"])["activities"], 32 + 3);
    // A table of tabs cannot have lines within a cell: they are spaces there, and that is no change.
    let tsv = town.path("plan.tsv");
    let export = huddinge.cli(&["export", "--to"]).arg(&tsv).run().done().says("1 texts have line breaks");
    assert!(fs::read_to_string(&tsv).unwrap().contains("rad ett rad två"));
    let base = export.err.split("--base ").nth(1).unwrap().lines().next().unwrap().to_owned();
    huddinge.cli(&["import", "--base", &base]).arg(&tsv).run().done().says("nothing to change");
    let text = fs::read_to_string(&tsv).unwrap();
    fs::write(&tsv, text.replace("Ny konferens\t", "Ny konferens\tBotkyrka, ")).unwrap();
    huddinge.cli(&["import", "--base", &base]).arg(&tsv).run().done().says("1 revised");
    assert_eq!(huddinge.activity("Ny konferens")["responsible"], "Botkyrka, Nacka kommun och Salem");
}

#[test]
fn the_table_of_tabs_is_taken_back_by_its_base_or_the_time_it_is_from() {
    let (town, haninge, _) = two();
    let changed = fs::read_to_string(sample()).unwrap().replace("Hösten", "Våren");
    let file = town.path("changed.tsv");
    fs::write(&file, changed).unwrap();
    let head = format!("@{}", haninge.object(&["status"])["position"]);
    let dry = haninge.cli(&["import", "--dry-run", "--as-of", &head]).arg(&file).run().done();
    dry.says("Hösten").says("Våren").says("nothing written");
    haninge
        .cli(&["import", "--base", "nonsense"])
        .arg(&file)
        .run()
        .exits(2)
        .says("98.12.d3df318b.6adef326.dbfa/2026-11-24");
    haninge
        .cli(&["import", "--as-of", &head, "--effective", "2027-01-01"])
        .arg(&file)
        .run()
        .done()
        .says("2027-01-01");
    assert!(!haninge.exported(&["--effective", "2027-01-01"]).contains("Hösten"));
}

#[test]
fn a_large_table_with_lines_in_its_cells_in_windows_1252_begins_a_programme() {
    let town = Town::empty();
    let mut text =
        "Delmål;Område och huvudmål;Aktivitet;Ansvarig;Tid;Kostnad;Kommentar;Status\r\n".to_owned();
    for row in 0..2_000 {
        text.push_str(&format!(
            "Delmål {};Område {} - Mål på ön;Åtgärd {row};Haninge, Tyresö;v. 12;{row}000 kr;\"Första raden\r\nandra; raden \"\"{row}\"\"\";Grön\r\n",
            row / 20,
            row / 100,
        ));
    }
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let file = town.path("stor.csv");
    fs::write(&file, bytes).unwrap();
    let create = town.cli(&["program", "create", "--server", town.url(), "--title", "Stort", "--import"]);
    create.arg(&file).arg("stort").run().done().says("windows-1252").says("\"Status\"");
    let rows = town.cli(&["show", "--rows", "--format", "json", "--replica", "stort"]).run().done().objects();
    assert_eq!(rows.len(), 2_000);
    assert_eq!(rows[1_234]["comment"], "Första raden\nandra; raden \"1234\"");
    assert_eq!(rows[1_234]["cost"]["ore"], 123_400_000);
    // Every row changed in two columns: more than one commit holds, and all of it or nothing.
    let stort = town.replica("stort");
    let out = town.path("ut.csv");
    let text = export(&stort, &out, &[]);
    fs::write(&out, text.replace(";v. 12;", ";v. 13;").replace("000 kr;", "500 kr;")).unwrap();
    stort.cli(&["import", "--dry-run"]).arg(&out).run().done().says("0 new, 4000 revised");
    stort.cli(&["import"]).arg(&out).run().done().says("4001 changes");
    assert_eq!(
        stort.object(&["show"])["cost"]["sum_ore"],
        100 * (1..2_000_i64).map(|row| row * 1_000 + 500).sum::<i64>() + 50_000
    );
    stort.does(&["sync"]);
    stort.does(&["verify", "--online"]);
}

#[test]
fn a_file_of_which_one_change_is_declined_is_not_taken_in_at_all() {
    let (town, haninge, _) = two();
    // A later value is there and seen: a change needs its own date.
    haninge.does(&["edit", "Nyckeltalsdagen", "--cost", "70000", "--effective", "2100-01-01"]);
    let file = csv(&town);
    export(&haninge, &file, &[]);
    let text = fs::read_to_string(&file).unwrap();
    let line = text.split("\r\n").find(|line| line.contains(";Nyckeltalsdagen;")).unwrap();
    let mut cells: Vec<&str> = line.split(';').collect();
    cells[5] = "80000";
    let added = format!("{};{};Ny;;;;;;", cells[0], cells[1]);
    fs::write(&file, format!("{}{added}\r\n", text.replace(line, &cells.join(";")))).unwrap();
    let before = haninge.standing();
    haninge
        .cli(&["import"])
        .arg(&file)
        .run()
        .exits(1)
        .says("needs a date of its own")
        .says("--effective 2100-01-01");
    assert_eq!(haninge.standing(), before);
    haninge.cli(&["import", "--effective", "2100-01-01"]).arg(&file).run().done().says("1 new, 1 revised");
}
