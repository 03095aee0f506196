//! What went wrong, in Swedish. The crates below speak English, with no language to ask for; here their sentences are known again, and
//! said to a Swedish reader with the same names and numbers in them. One that is not in the list stays English.

/// English and Swedish. `{}` stands for what differs; it comes in the same order in both.
const SENTENCES: &[(&str, &str)] = &[
    // A replica and its server.
    ("there is no replica in {} or above it", "det finns ingen replika i {} eller ovanför"),
    ("there is a replica in {} already", "det finns redan en replika i {}"),
    ("nothing answers at {}", "ingen svarar på {}"),
    ("{} is not a server's address", "{} är ingen adress till en server"),
    ("what answers at {} is not a radslagd: {}", "det som svarar på {} är ingen radslagd: {}"),
    ("the log failed verification: {}", "loggen höll inte vid kontrollen: {}"),
    ("the server refused an event: {}: {}", "servern vägrade ta emot en händelse: {}: {}"),
    (
        "the server refused a change: {}; {} changes are in quarantine",
        "servern vägrade ta emot en ändring: {}; {} ändringar är i karantän",
    ),
    ("a server would refuse the change: {}", "en server skulle vägra ta emot ändringen: {}"),
    ("this replica has no programme yet", "den här replikan har inget program än"),
    ("{} has no programme yet", "{} har inget program än"),
    ("{} has no programme {}", "{} har inget program {}"),
    ("{} has {} such programmes:\n{}", "{} har {} sådana program:\n{}"),
    ("say which: --program ID", "säg vilket: --program ID"),
    ("radslag program create --server {} begins one", "radslag program create --server {} börjar ett"),
    (
        "is the server running? radslagd serve --data DIR --listen ADDR:PORT (changes stay queued meanwhile)",
        "är servern igång? radslagd serve --data DIR --listen ADDR:PORT (ändringar ligger kvar i kö så länge)",
    ),
    (
        "write the address as https://HOST:PORT, or http://HOST:PORT on this machine",
        "skriv adressen som https://VÄRD:PORT, eller http://VÄRD:PORT på den här datorn",
    ),
    ("what answers at {} speaks TLS", "det som svarar på {} talar TLS"),
    ("what answers at {} does not speak TLS", "det som svarar på {} talar inte TLS"),
    (
        "write https:// for http://, in a replica that is there in the file .radslag/replica.toml",
        "skriv https:// i stället för http://; i en replika som redan finns står det i filen .radslag/replica.toml",
    ),
    (
        "ask whoever runs the server for TLS; without it write http://, on this machine or a network where nobody listens",
        "be den som driver servern om TLS; utan det skriver du http://, på den här datorn eller ett nät där ingen lyssnar",
    ),
    (
        "{} is not trusted: its certificate is from an authority that is not known here",
        "{} är inte betrodd: certifikatet kommer från en utfärdare som inte är känd här",
    ),
    (
        "{} is not trusted: its certificate is not for this name",
        "{} är inte betrodd: certifikatet gäller inte det här namnet",
    ),
    (
        "{} is not trusted: its certificate is for {}, not for this name",
        "{} är inte betrodd: certifikatet gäller {}, inte det här namnet",
    ),
    (
        "{} is not trusted: its certificate has expired, or this computer's clock is wrong",
        "{} är inte betrodd: certifikatet har gått ut, eller så går datorns klocka fel",
    ),
    (
        "{} is not trusted: its certificate is not valid yet, or this computer's clock is wrong",
        "{} är inte betrodd: certifikatet gäller inte än, eller så går datorns klocka fel",
    ),
    (
        "{} is not trusted: it shows the certificate of an authority, not one that an authority issued for it",
        "{} är inte betrodd: den visar en utfärdares eget certifikat, inte ett som en utfärdare gett den",
    ),
    (
        "{} is not trusted: this computer knows no authority that issues certificates",
        "{} är inte betrodd: datorn känner inte till någon utfärdare av certifikat",
    ),
    ("{} is not trusted: TLS does not come about: {}", "{} är inte betrodd: TLS kommer inte till stånd: {}"),
    (
        "name the file of your authority's certificate: --ca FILE, or in a replica that is there ca = \"FILE\" in .radslag/replica.toml",
        "ange filen med er utfärdares certifikat: --ca FIL, eller i en replika som redan finns ca = \"FIL\" i .radslag/replica.toml",
    ),
    (
        "write the address with a name that the certificate is for",
        "skriv adressen med ett namn som certifikatet gäller",
    ),
    (
        "look at this computer's clock, then ask whoever runs the server for a certificate that is valid",
        "se efter vad datorns klocka visar, och be sedan den som driver servern om ett giltigt certifikat",
    ),
    (
        "ask whoever runs the server: docs/operating.md says which certificates it takes",
        "fråga den som driver servern: docs/operating.md säger vilka certifikat den tar",
    ),
    (
        "check the port: radslag whoami shows the address in use",
        "kontrollera porten: radslag whoami visar adressen som används",
    ),
    (
        "choose another folder, or use this one: radslag --replica DIR status",
        "välj en annan mapp, eller använd den här: radslag --replica DIR status",
    ),
    (
        "radslag pull, then look with radslag show or radslag conflicts",
        "radslag pull, och se sedan efter med radslag show eller radslag conflicts",
    ),
    (
        "radslag verify (and keep this folder: it may be the proof)",
        "radslag verify (och spara mappen: den kan vara beviset)",
    ),
    ("see docs/errors/{}.md", "se docs/errors/{}.md"),
    (
        "the server is at position {}, this replica at {}",
        "servern är vid position {}, den här replikan vid {}",
    ),
    ("radslag pull, then radslag verify --online", "radslag pull, och sedan radslag verify --online"),
    (
        "this server does not let devices enrol themselves, and invitations come in a later release",
        "servern låter inga enheter skriva in sig själva, och inbjudningar kommer i en senare version",
    ),
    ("there is no place for the key", "det finns ingen plats för nyckeln"),
    // Names of things.
    ("there is no {} {} in the programme", "{} {} finns inte i programmet"),
    ("radslag show --rows lists what there is", "radslag show --rows listar vad som finns"),
    ("there is no {} {}", "{} {} finns inte"),
    ("name it by the eight digits that lists print", "skriv de åtta siffrorna som listorna visar"),
    ("{} means {} things:\n{}", "{} kan vara {} saker:\n{}"),
    (
        "name it by the digits in front, or write more of the title",
        "skriv siffrorna som står först, eller mer av titeln",
    ),
    ("{} means {} of them: {}", "{} kan vara {} av dem: {}"),
    ("write more digits", "skriv fler siffror"),
    ("no organisation {} takes part in the programme", "ingen organisation {} är med i programmet"),
    ("name one of these: {}", "skriv en av dem: {}"),
    ("{} is not in the programme any more", "{} är inte kvar i programmet"),
    ("radslag activity restore brings it back", "radslag activity restore tar tillbaka den"),
    ("{} is retired already", "{} har redan utgått"),
    ("radslag history shows by whom", "radslag history visar genom vem"),
    ("{} is in the programme", "{} är med i programmet"),
    (
        "{} comes into force on {}, and is no part of the programme before that day",
        "{} börjar gälla {} och är inte med i programmet före den dagen",
    ),
    ("--effective {}, or a later day", "--effective {}, eller en senare dag"),
    // Points in time.
    (
        "{} is not a point in time: write 2019-04-10, 2019-04-10T12:00:00, yesterday, a position such as @12, or a name that radslag baseline list has",
        "{} är ingen tidpunkt: skriv 2019-04-10, 2019-04-10T12:00:00, igår, en position som @12, eller ett namn ur radslag baseline list",
    ),
    (
        "{} is not a day: write 2027-01-01, between 1900-01-01 and 2199-12-31",
        "{} är ingen dag: skriv 2027-01-01, mellan 1900-01-01 och 2199-12-31",
    ),
    ("position {} is after the last one, {}", "position {} är efter den sista, {}"),
    ("radslag pull, or name an earlier position", "radslag pull, eller ange en tidigare position"),
    ("the programme began later, {}", "programmet började senare, {}"),
    (
        "--basis {} is not the basis of an answer: write it as the answer did, @98/2026-11-24/r0/v1",
        "--basis {} är inte underlaget för ett svar: skriv det som svaret gjorde, @98/2026-11-24/r0/v1",
    ),
    // Changing.
    ("nothing to change: that is what it says already", "ingenting att ändra: så står det redan"),
    (
        "--cost {}: not an amount; write 50000, 50 000 kr, 50 tkr or 1,5 mnkr",
        "--cost {}: inget belopp; skriv 50000, 50 000 kr, 50 tkr eller 1,5 mnkr",
    ),
    (
        "--cost {}: {} has more than one decimal sign; write \"12,50\", or \"1 000 000\" with spaces between thousands",
        "--cost {}: {} har mer än ett decimaltecken; skriv \"12,50\", eller \"1 000 000\" med mellanslag mellan tusental",
    ),
    (
        "--cost {}: {} has more than two decimals; write \"1 000\" for a thousand, \"12,50\" for kronor and öre",
        "--cost {}: {} har fler än två decimaler; skriv \"1 000\" för tusen, \"12,50\" för kronor och öre",
    ),
    (
        "--cost {}: {} does not group its digits in threes; write {}",
        "--cost {}: {} grupperar inte siffrorna tre och tre; skriv {}",
    ),
    (
        "--cost {}: {} has a sign; a cost is written without, like \"5 000\"",
        "--cost {}: {} har ett tecken; en kostnad skrivs utan, som \"5 000\"",
    ),
    (
        "{} has more than one decimal sign; write \"12,50\", or \"1 000 000\" with spaces between thousands",
        "{} har mer än ett decimaltecken; skriv \"12,50\", eller \"1 000 000\" med mellanslag mellan tusental",
    ),
    (
        "{} has more than two decimals; write \"1 000\" for a thousand, \"12,50\" for kronor and öre",
        "{} har fler än två decimaler; skriv \"1 000\" för tusen, \"12,50\" för kronor och öre",
    ),
    ("{} does not group its digits in threes; write {}", "{} grupperar inte siffrorna tre och tre; skriv {}"),
    (
        "{} has a sign; a cost is written without, like \"5 000\"",
        "{} har ett tecken; en kostnad skrivs utan, som \"5 000\"",
    ),
    ("{}: a title cannot be empty", "{}: en titel kan inte vara tom"),
    (
        "{}: the text has a control character ({}); leave tabs and line breaks out",
        "{}: texten har ett styrtecken ({}); utelämna tabbar och radbrytningar",
    ),
    ("{}: the text has {} bytes, more than {}; shorten it", "{}: texten har {} byte, fler än {}; korta den"),
    (
        "--clear {}: time, cost, comment and lead can be emptied",
        "--clear {}: tid, kostnad, kommentar och lead kan tömmas",
    ),
    (
        "say what to change: --title, --cost, --time, --comment, --assign, --unassign, --lead or --clear (on a terminal, without any of them, it asks field by field)",
        "säg vad som ska ändras: --title, --cost, --time, --comment, --assign, --unassign, --lead eller --clear (i en terminal, utan någon av dem, frågar den fält för fält)",
    ),
    ("say what to change; --help lists the fields", "säg vad som ska ändras; --help listar fälten"),
    (
        "say where to: --to PARENT, --before SIBLING or --after SIBLING",
        "säg vart: --to FÖRÄLDER, --before SYSKON eller --after SYSKON",
    ),
    ("parties have no order; they are listed by name", "parter har ingen ordning; de listas efter namn"),
    ("--to: areas stand in the programme itself", "--to: områden står i själva programmet"),
    ("the event changed nothing that can be undone", "händelsen ändrade ingenting som kan ställas tillbaka"),
    ("the {} has been changed again since, by {}", "{} har ändrats igen sedan dess, av {}"),
    ("radslag history shows what came after it", "radslag history visar vad som kom efter"),
    ("there are no conflicts", "det finns inga konflikter"),
    ("radslag sync fetches what others have written", "radslag sync hämtar vad andra skrivit"),
    (
        "say what stands: --take SIDE, --value VALUE or --edit",
        "säg vad som ska gälla: --take SIDA, --value VÄRDE eller --edit",
    ),
    ("{} wrote {} of the sides", "{} har skrivit {} av sidorna"),
    (
        "name the side by its number or its event: radslag conflicts",
        "ange sidan med nummer eller händelse: radslag conflicts",
    ),
    ("there is no editor", "det finns ingen redigerare"),
    ("set EDITOR, or give the value: {}", "sätt EDITOR, eller ge värdet: {}"),
    ("{} names a point already: {}", "{} namnger redan en tidpunkt: {}"),
    ("radslag baseline list; choose another name", "radslag baseline list; välj ett annat namn"),
    (
        "{} is not a base; write it as radslag status prints it, such as 98.12.d3df318b.6adef326.dbfa",
        "{} är ingen bas; skriv den som radslag status gör, till exempel 98.12.d3df318b.6adef326.dbfa",
    ),
    ("the base is position {}, this replica has {}", "basen är position {}, den här replikan har {}"),
    (
        "the base is of the programme {}…, this replica is of {}…",
        "basen är av programmet {}…, den här replikan av {}…",
    ),
    (
        "radslag pull, or look again: radslag status prints the base of what is shown now",
        "radslag pull, eller se efter igen: radslag status skriver basen för det som visas nu",
    ),
    (
        "look again: radslag status prints the base of what is shown now",
        "se efter igen: radslag status skriver basen för det som visas nu",
    ),
    // Files.
    (
        "the programme has content already, and the file does not say what it was exported from: nobody could tell your changes from those of others",
        "programmet har redan innehåll, och filen säger inte vad den exporterades från: ingen kan skilja dina ändringar från andras",
    ),
    (
        "radslag import FILE --base BASE, as radslag export printed it, or --as-of WHEN; radslag export --to FILE.csv carries it along",
        "radslag import FIL --base BAS, som radslag export skrev den, eller --as-of NÄR; radslag export --to FIL.csv har den med sig",
    ),
    (
        "{} is not what a file is exported from; write it as radslag export printed it, such as 98.12.d3df318b.6adef326.dbfa/2026-11-24",
        "{} är inte vad en fil exporteras från; skriv det som radslag export gjorde, till exempel 98.12.d3df318b.6adef326.dbfa/2026-11-24",
    ),
    (
        "nothing was imported; mend the file and try again",
        "ingenting importerades; rätta filen och försök igen",
    ),
    ("{}: spreadsheets' own files are not read", "{}: kalkylprogrammens egna filer läses inte"),
    (
        "save it as CSV in the spreadsheet (in UTF-8 where it asks), and import that",
        "spara den som CSV i kalkylprogrammet (i UTF-8 om det frågar), och importera den",
    ),
    (
        "--to {}: name a file that ends in .tsv, .csv or .json",
        "--to {}: ange en fil som slutar på .tsv, .csv eller .json",
    ),
    (
        "{}: no row near the top names the columns {}, in Swedish or English; the nearest, line {}, lacks {}",
        "{}: ingen rad högst upp namnger kolumnerna {}, på svenska eller engelska; den närmaste, rad {}, saknar {}",
    ),
    (
        "{}: line {} opens a quotation mark that is never closed; close it, or double it where it belongs to the text",
        "{}: rad {} öppnar ett citattecken som aldrig stängs; stäng det, eller dubblera det om det hör till texten",
    ),
    (
        "{}: line {} has the id {}, and nothing in the programme had it when the file was exported; empty the cell to add the row as new",
        "{}: rad {} har id {}, och ingenting i programmet hade det när filen exporterades; töm cellen för att lägga till raden som ny",
    ),
    (
        "{}: line {} has the id {} once more; empty the cell of the row that is new",
        "{}: rad {} har id {} en gång till; töm cellen på raden som är ny",
    ),
    (
        "{}: line {} was exported at another time than the rows above it; keep to the rows of one export",
        "{}: rad {} exporterades en annan gång än raderna ovanför; håll dig till en exports rader",
    ),
    (
        "{}: line {} is not UTF-8 at its byte {}; save the file as text in UTF-8",
        "{}: rad {} är inte UTF-8 vid byte {}; spara filen som text i UTF-8",
    ),
    (
        "{}: line {} stands before the first heading; put a line with only {} above it",
        "{}: rad {} står före den första rubriken; sätt en rad med bara {} ovanför",
    ),
    (
        "{}: line {} has no {}, and there is none above it under this heading; fill the cell",
        "{}: rad {} saknar {}, och inget står ovanför under den rubriken; fyll i cellen",
    ),
    (
        "{}: line {} has {} but no {}; name the activity, or empty the cell",
        "{}: rad {} har {} men ingen {}; namnge aktiviteten, eller töm cellen",
    ),
    ("No such file or directory (os error 2)", "filen eller mappen finns inte"),
    ("transport error", "förbindelsen kom inte till stånd"),
    ("tcp connect error", "ingen tog emot den"),
    ("Connection refused (os error 111)", "porten är stängd"),
    ("Permission denied (os error 13)", "du får inte läsa eller skriva där"),
    ("{}: not yet in this release", "{}: finns inte än i den här versionen"),
];

/// Words that come in the place of a name.
const WORDS: &[(&str, &str)] = &[
    ("activity", "aktiviteten"),
    ("area", "området"),
    ("sub-goal", "delmålet"),
    ("party", "parten"),
    ("entry", "posten"),
    ("event", "händelsen"),
    ("conflict", "konflikten"),
    ("side", "sidan"),
    ("cost", "kostnaden"),
    ("time", "tiden"),
    ("comment", "kommentaren"),
    ("title", "titeln"),
];

/// A sentence in Swedish; as it is where it is not known.
pub fn said(english: &str) -> String {
    let known = SENTENCES.iter().find_map(|(known, swedish)| filled(english, known, swedish));
    known.unwrap_or_else(|| english.to_owned())
}

/// `swedish` with what stands in the places of `known`; none when the sentence is another one.
fn filled(english: &str, known: &str, swedish: &str) -> Option<String> {
    let mut parts = known.split("{}");
    let mut rest = english.strip_prefix(parts.next()?)?;
    let mut names = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        // The last part ends the sentence, so that what stands before it may be anything at all.
        let at = if parts.peek().is_none() {
            rest.ends_with(part).then(|| rest.len() - part.len())?
        } else {
            rest.find(part)?
        };
        names.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    if !rest.is_empty() {
        return None;
    }
    let mut said = String::new();
    let mut names = names.into_iter();
    for (at, part) in swedish.split("{}").enumerate() {
        if at > 0 {
            let name = names.next()?;
            said.push_str(WORDS.iter().find(|(english, _)| *english == name).map_or(name, |(_, word)| word));
        }
        said.push_str(part);
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_their_names_and_numbers() {
        for (english, swedish) in [
            ("there is no activity \"X\" in the programme", "aktiviteten \"X\" finns inte i programmet"),
            ("there is no conflict \"beef\"", "konflikten \"beef\" finns inte"),
            ("nothing answers at http://127.0.0.1:1", "ingen svarar på http://127.0.0.1:1"),
            ("position 99 is after the last one, 92", "position 99 är efter den sista, 92"),
            ("\"A\" means 2 things:\n  1  A\n  2  AB", "\"A\" kan vara 2 saker:\n  1  A\n  2  AB"),
            (
                "--cost \"12,5,0\": \"12,5,0\" has more than one decimal sign; write \"12,50\", or \"1 000 000\" with spaces between thousands",
                "--cost \"12,5,0\": \"12,5,0\" har mer än ett decimaltecken; skriv \"12,50\", eller \"1 000 000\" med mellanslag mellan tusental",
            ),
        ] {
            assert_eq!(said(english), swedish);
        }
        assert_eq!(said("something new"), "something new");
        assert_eq!(said(""), "");
    }

    #[test]
    fn every_sentence_has_as_many_places_in_both_languages() {
        for (english, swedish) in SENTENCES {
            assert_eq!(english.matches("{}").count(), swedish.matches("{}").count(), "{english}");
            // It is found again as itself, and not as a more general one before it.
            assert_eq!(said(english), *swedish, "{english}");
        }
    }
}
