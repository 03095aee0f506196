//! Who is named, as examples and as laws.

use proptest::prelude::*;

use super::*;

fn read(raw: &str) -> Vec<(String, PartyKind, Option<String>)> {
    parse_responsible(raw).into_iter().map(|p| (p.name, p.kind, p.organisation)).collect()
}

fn plain(name: &str, kind: PartyKind) -> (String, PartyKind, Option<String>) {
    (name.to_owned(), kind, None)
}

fn person(name: &str, organisation: &str) -> (String, PartyKind, Option<String>) {
    (name.to_owned(), PartyKind::Person, Some(organisation.to_owned()))
}

#[test]
fn municipalities_are_named_with_commas_and_och() {
    use PartyKind::Municipality;
    assert_eq!(
        read("Haninge, Botkyrka och Huddinge"),
        [plain("Haninge", Municipality), plain("Botkyrka", Municipality), plain("Huddinge", Municipality)]
    );
    assert_eq!(
        read(" haninge  OCH Tyreso\u{308} "),
        [plain("Haninge", Municipality), plain("Tyresö", Municipality)]
    );
    assert_eq!(read("Haninge/Huddinge"), [plain("Haninge", Municipality), plain("Huddinge", Municipality)]);
    assert_eq!(read("Haninge, Haninge, och ,"), [plain("Haninge", Municipality)]);
    for name in MUNICIPALITIES {
        assert_eq!(read(name), [plain(name, Municipality)]);
    }
}

#[test]
fn names_that_share_letters_are_different_parties() {
    assert_eq!(
        read("Södertälje och Södertörn"),
        [plain("Södertälje", PartyKind::Municipality), plain("Södertörn", PartyKind::Collective)]
    );
    assert_eq!(read("Södertörns"), [plain("Södertörns", PartyKind::Organisation)]);
    assert_eq!(read("Haning"), [plain("Haning", PartyKind::Organisation)]);
}

#[test]
fn roles_with_a_slash_are_one_group() {
    assert_eq!(read("Kdir/KSO"), [plain("Kdir/KSO", PartyKind::RoleGroup)]);
    assert_eq!(read("Ekonomi- direktörerna"), [plain("Ekonomi- direktörerna", PartyKind::RoleGroup)]);
    assert_eq!(
        read("Ekonomi- och personalcheferna"),
        [plain("Ekonomi- och personalcheferna", PartyKind::RoleGroup)]
    );
    assert_eq!(
        read("HR-, ekonomi- och personalcheferna, Salem"),
        [
            plain("HR-, ekonomi- och personalcheferna", PartyKind::RoleGroup),
            plain("Salem", PartyKind::Municipality)
        ]
    );
}

#[test]
fn three_people_are_named_in_one_cell() {
    assert_eq!(
        read("Anna Be/Håkan Haninge och Anna Br Huddinge"),
        [person("Anna Be", "Haninge"), person("Håkan", "Haninge"), person("Anna Br", "Huddinge")]
    );
}

#[test]
fn two_people_are_named_by_first_name_and_municipality() {
    assert_eq!(
        read("Lena Södertälje och Andreas Botkyrka"),
        [person("Lena", "Södertälje"), person("Andreas", "Botkyrka")]
    );
}

#[test]
fn the_same_first_name_in_two_municipalities_is_two_people() {
    assert_eq!(read("Anna Haninge, Anna Huddinge"), [person("Anna", "Haninge"), person("Anna", "Huddinge")]);
}

#[test]
fn other_parties_are_told_apart_by_their_words() {
    assert_eq!(
        read("Salem, Huddinge, Tyresö och David Schubert").last(),
        Some(&plain("David Schubert", PartyKind::Person))
    );
    assert_eq!(read("Etablering Södertörn"), [plain("Etablering Södertörn", PartyKind::Network)]);
    assert_eq!(read("Projektet ADA"), [plain("Projektet ADA", PartyKind::Project)]);
    assert_eq!(read("Region Stockholm"), [plain("Region Stockholm", PartyKind::Organisation)]);
    assert_eq!(read("Trafikverket"), [plain("Trafikverket", PartyKind::Organisation)]);
    assert_eq!(read("Haninge kommun"), [plain("Haninge kommun", PartyKind::Municipality)]);
    assert_eq!(
        read("Näringslivskontoret Haninge"),
        [plain("Näringslivskontoret Haninge", PartyKind::Organisation)]
    );
}

#[test]
fn a_text_without_names_names_nobody() {
    for raw in ["", "  ", ",", " och ", "/", ", / och"] {
        assert_eq!(read(raw), [], "{raw}");
    }
}

#[test]
fn however_a_cell_separates_them_nobody_is_dropped() {
    let names = |raw: &str| read(raw).into_iter().map(|party| party.0).collect::<Vec<_>>();
    for raw in [
        "Haninge; Salem; Trafikverket",
        "Haninge\nSalem\nTrafikverket",
        "- Haninge\r\n- Salem\r\n- Trafikverket",
        "• Haninge • Salem • Trafikverket",
        "Haninge, Salem samt Trafikverket",
        "Haninge & Salem och Trafikverket",
        "Haninge,Salem,\nTrafikverket;",
    ] {
        assert_eq!(names(raw), ["Haninge", "Salem", "Trafikverket"], "{raw}");
    }
    // Every word of the cell is in the name of somebody, or says whose they are.
    for raw in [
        "Ekonomi- och personalcheferna, Kdir/KSO",
        "Näringslivschef (Tyresö) tillsammans med Region Stockholm",
        "Projektledare NN, vakant",
        "KSO i respektive kommun",
        "Anna Be/Håkan Haninge; Lena Södertälje",
        "alla",
        "?",
        "Samordnare e-arkiv: Malin Åhs-Öhman",
    ] {
        let said: String = read(raw)
            .iter()
            .map(|party| format!("{} {} ", party.0, party.2.clone().unwrap_or_default()))
            .collect();
        let words = raw.split([' ', ',', ';', '/']).filter(|word| !word.is_empty() && *word != "och");
        for word in words {
            assert!(said.contains(word), "{raw}: {word}");
        }
    }
}

#[test]
fn a_text_is_shown_as_written_however_an_earlier_version_cut_it() {
    assert!(names_exactly("Haninge; Salem, Tyresö", &["Haninge; Salem", "Tyresö"]));
    assert!(names_exactly("Haninge; Salem, Tyresö", &["Haninge", "Salem", "Tyresö"]));
    assert!(!names_exactly("Haninge; Salem, Tyresö", &["Haninge", "Tyresö"]));
}

#[test]
fn names_are_joined_with_commas_and_och() {
    assert_eq!(render_responsible::<&str>(&[]), "");
    assert_eq!(render_responsible(&["Haninge"]), "Haninge");
    assert_eq!(render_responsible(&["Haninge", "Salem"]), "Haninge och Salem");
    assert_eq!(render_responsible(&["Haninge", "Salem", "Tyresö"]), "Haninge, Salem och Tyresö");
}

#[test]
fn the_text_is_shown_while_it_names_the_same_parties() {
    let raw = "Anna Be/Håkan Haninge och Anna Br Huddinge";
    assert!(names_exactly(raw, &["Anna Br", "Anna Be", "Ha\u{30a}kan"]));
    assert!(!names_exactly(raw, &["Anna Be", "Anna Br"]));
    assert!(!names_exactly("Haninge", &["Haninge", "Salem"]));
    assert!(names_exactly::<&str>("", &[]));
}

proptest! {
    #[test]
    fn any_text_is_answered(raw in ".*") {
        for party in parse_responsible(&raw) {
            prop_assert!(!party.name.trim().is_empty());
        }
    }

    #[test]
    fn texts_near_names_are_answered(raw in "(Anna|Haninge|Södertörn|och|KSO|Be|-|,|/| |å){0,12}") {
        for party in parse_responsible(&raw) {
            prop_assert!(!party.name.trim().is_empty());
        }
    }

    #[test]
    fn rendered_municipalities_are_read_back(
        names in proptest::sample::subsequence(MUNICIPALITIES.to_vec(), 0..=8)
    ) {
        prop_assert!(names_exactly(&render_responsible(&names), &names));
    }
}
