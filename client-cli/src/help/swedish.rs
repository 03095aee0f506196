//! The help in Swedish: what each English text of `args.rs` says.

/// English and Swedish.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "One development programme, kept together by several municipalities",
        "Ett utvecklingsprogram som flera kommuner håller tillsammans",
    ),
    (
        "Table for people, JSON for programs; Markdown of diff",
        "Tabell för människor (table), JSON för program (json); Markdown av diff (md)",
    ),
    ("Swedish or English (default: the locale's)", "Svenska (sv) eller engelska (en); annars datorns språk"),
    (
        "The replica's folder (default: this folder or the nearest one above it)",
        "Replikans mapp (annars den här mappen eller den närmaste ovanför)",
    ),
    (
        "The main job, live, on this machine: server, two municipalities, a conflict, its resolution, the past",
        "Det hela, på riktigt, på den här datorn: server, två kommuner, en konflikt, hur den avgörs, och det förflutna",
    ),
    (
        "Begin a programme, list a server's, or show one of them",
        "Börja ett program, lista en servers, eller visa ett av dem",
    ),
    (
        "Make a replica for one organisation and enrol it",
        "Gör en replika för en organisation och skriv in den",
    ),
    (
        "Get a server's programme, ready to use: a new folder with a replica of it, for one person",
        "Hämta en servers program, klart att använda: en ny mapp med en replika, för en person",
    ),
    ("Fetch and verify what is new", "Hämta och kontrollera det som är nytt"),
    ("Hand in what is queued", "Lämna in det som är i kö"),
    ("Pull, push, and pull again", "Hämta, lämna in och hämta igen"),
    (
        "Where this replica stands: position, outbox, conflicts",
        "Hur den här replikan ligger till: position, kö, konflikter",
    ),
    ("Who this replica is", "Vem den här replikan är"),
    ("The programme, now or as of a point in time", "Programmet, nu eller som det var vid en tidpunkt"),
    (
        "Change an activity; without options, on a terminal, it asks field by field",
        "Ändra en aktivitet; utan flaggor, i en terminal, frågar den fält för fält",
    ),
    (
        "Areas: add, edit, move, retire, restore, show",
        "Områden: add lägger till, edit ändrar, move flyttar, retire låter utgå, restore återtar, show visar",
    ),
    ("Sub-goals: add, edit, move, retire, restore, show", "Delmål: add, edit, move, retire, restore, show"),
    (
        "Activities: add, edit, move, retire, restore, show",
        "Aktiviteter: add, edit, move, retire, restore, show",
    ),
    ("Parties: add, edit, retire, restore, show", "Parter: add, edit, retire, restore, show"),
    ("Set back what one event changed", "Ställ tillbaka det som en händelse ändrade"),
    (
        "Every change of one entry: before, after, who, when, why",
        "Varje ändring av en sak: före, efter, vem, när, varför",
    ),
    ("Every field with its last author", "Varje fält med den som skrev det senast"),
    ("What changed between two points in time", "Vad som ändrades mellan två tidpunkter"),
    ("The records of the log", "Loggens poster"),
    ("Where municipalities disagree", "Var kommunerna är oense"),
    ("Settle a conflict", "Avgör en konflikt"),
    (
        "Own changes that wait, and those that will not land: list, discard, resubmit",
        "Egna ändringar som väntar, och de som inte kommer in: list listar, discard ger upp, resubmit lämnar in på nytt",
    ),
    (
        "Import a table: begin an empty programme with it, or propose what was changed in an exported one",
        "Importera en tabell: börja ett tomt program med den, eller föreslå det som ändrats i en exporterad",
    ),
    (
        "Write the programme as a table, now or as of a point in time",
        "Skriv programmet som tabell, nu eller som det var vid en tidpunkt",
    ),
    (
        "Check the whole local log: signatures, sequences, rules, Merkle root",
        "Kontrollera hela den lokala loggen: signaturer, följder, regler, Merkle-rot",
    ),
    (
        "Fetch and verify the history before the snapshot that this replica began from",
        "Hämta och kontrollera historiken före den ögonblicksbild som replikan började från",
    ),
    (
        "Follow changes as they come: who, what and why; they are kept in the replica too",
        "Följ ändringar när de kommer: vem, vad och varför; de sparas i replikan också",
    ),
    ("Named points in time: add, list", "Namngivna tidpunkter: add namnger, list listar"),
    (
        "End after the tour instead of serving on",
        "Sluta efter rundturen i stället för att fortsätta som server",
    ),
    (
        "Where the server and the two replicas keep their data",
        "Var servern och de två replikerna har sina data",
    ),
    (
        "Begin a programme on a server, empty or from a table",
        "Börja ett program på en server, tomt eller från en tabell",
    ),
    ("The programmes of a server", "En servers program"),
    ("The server's address", "Serverns adress"),
    (
        "Trust the authorities in this PEM file for an https:// address, and no others (default: those of this computer)",
        "Lita på utfärdarna i den här PEM-filen för en adress med https://, och på inga andra (annars: datorns egna)",
    ),
    (
        "One programme as the server has it, without a replica: areas, sums, conflicts, named points",
        "Ett program som servern har det, utan replika: områden, summor, konflikter, namngivna tidpunkter",
    ),
    (
        "Which, by its id or its title (default: the only one on the server)",
        "Vilket, med id eller titel (annars det enda på servern)",
    ),
    ("A table to begin with", "En tabell att börja med"),
    ("The programme's title (default: the table's)", "Programmets titel (annars tabellens)"),
    ("The organisation that begins it", "Organisationen som börjar det"),
    ("Your name (default: the login name)", "Ditt namn (annars inloggningsnamnet)"),
    (
        "Where the creating replica and its key are kept (default: a folder under $RADSLAG_HOME)",
        "Var den första replikan och dess nyckel ligger (annars en mapp under $RADSLAG_HOME)",
    ),
    ("The organisation's short name: a-z, 0-9 and -", "Organisationens kortnamn: a-z, 0-9 och -"),
    ("Your name", "Ditt namn"),
    (
        "Fetch and verify the whole history first, however long it is",
        "Hämta och kontrollera hela historiken först, hur lång den än är",
    ),
    ("The programme's id", "Programmets id"),
    ("The replica's folder", "Replikans mapp"),
    (
        "Which programme, by its id or its title (default: the only one on the server)",
        "Vilket program, med id eller titel (annars det enda på servern)",
    ),
    (
        "The folder to make (default: one with the organisation's name)",
        "Mappen som görs (annars en med organisationens namn)",
    ),
    (
        "Stop after about this many records; the next run goes on from there",
        "Sluta efter ungefär så många poster; nästa gång går det vidare därifrån",
    ),
    ("Only this area", "Bara det här området"),
    (
        "Only activities that this organisation or party, or somebody who belongs to it, is responsible for or leads",
        "Bara aktiviteter som organisationen eller parten, eller någon som hör dit, ansvarar för eller leder",
    ),
    ("The same for this replica's own organisation", "Detsamma för replikans egen organisation"),
    ("One row an activity", "En rad per aktivitet"),
    (
        "Only activities that nobody has touched for so many days (180 unless told), the longest untouched first",
        "Bara aktiviteter som ingen rört på så många dagar (180 om inget sägs), de längst orörda först",
    ),
    (
        "Only activities that nobody in the programme is responsible for or leads",
        "Bara aktiviteter som ingen i programmet ansvarar för eller leder",
    ),
    ("Why", "Varför"),
    ("Which decision: its registry number", "Vilket beslut: diarienumret"),
    (
        "What you were looking at: the base that status, show, conflicts or export gave (default: what is there now)",
        "Vad du utgick från: basen som status, show, conflicts eller export gav (annars det som står nu)",
    ),
    (
        "From which day it applies: 2027-01-01 (default: from the day it is written)",
        "Från vilken dag det gäller: 2027-01-01 (annars dagen det skrivs)",
    ),
    (
        "As of a point in time: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, a baseline's name",
        "Som det var vid en tidpunkt: 2019-04-10, 2019-04-10T12:00:00, igår, @12, en namngiven tidpunkt",
    ),
    (
        "What applies on that day: 2027-01-01 (default: today, or the day of the last record that is read; a baseline has its own)",
        "Det som gäller den dagen: 2027-01-01 (annars i dag, eller den sista lästa postens dag; en namngiven tidpunkt har sin egen)",
    ),
    (
        "On the basis of an earlier answer, as it was printed: @98/2026-11-24/r0/v1",
        "På underlaget för ett tidigare svar, som det skrevs ut: @98/2026-11-24/r0/v1",
    ),
    ("When: Löpande, våren, 10-apr, v. 12", "När: Löpande, våren, 10-apr, v. 12"),
    ("What it costs: 50000, 50 000 kr, 2 mnkr", "Vad det kostar: 50000, 50 000 kr, 2 mnkr"),
    ("Comment", "Kommentar"),
    ("Make a party responsible (repeatable)", "Gör en part ansvarig (kan upprepas)"),
    ("Which party leads", "Vilken part som leder"),
    (
        "The activity: its title or the beginning of it, or digits of its id",
        "Aktiviteten: titeln eller början av den, eller siffror ur dess id",
    ),
    ("A new title", "En ny titel"),
    (
        "Make a party no longer responsible (repeatable)",
        "Låt en part inte längre vara ansvarig (kan upprepas)",
    ),
    (
        "Empty a field: time, cost, comment, lead (repeatable)",
        "Töm ett fält: tid, kostnad, kommentar, lead (kan upprepas)",
    ),
    (
        "Land only if nobody has changed these fields meanwhile",
        "Kom in bara om ingen ändrat de fälten under tiden",
    ),
    (
        "Its title or the beginning of it, or digits of its id",
        "Titeln eller början av den, eller siffror ur dess id",
    ),
    (
        "Up to a point in time: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, a baseline's name",
        "Fram till en tidpunkt: 2019-04-10, 2019-04-10T12:00:00, igår, @12, en namngiven tidpunkt",
    ),
    (
        "What each change did to that day: 2027-01-01 (default: to the day on which it was recorded)",
        "Vad varje ändring gjorde med den dagen: 2027-01-01 (annars med dagen då den registrerades)",
    ),
    ("What it shall stand in (default: where it stands)", "Vad den ska stå under (annars där den står)"),
    ("Before this sibling", "Före det här syskonet"),
    ("After this sibling", "Efter det här syskonet"),
    ("Add an area", "Lägg till ett område"),
    ("Its name", "Namnet"),
    ("Its main goal", "Huvudmålet"),
    ("Change name or main goal", "Ändra namn eller huvudmål"),
    ("Which", "Vilken"),
    ("A new name", "Ett nytt namn"),
    ("A new main goal; empty text removes it", "Ett nytt huvudmål; tom text tar bort det"),
    ("Move it among the areas", "Flytta det bland områdena"),
    ("Take it out of the programme; nothing is deleted", "Låt den utgå ur programmet; ingenting raderas"),
    ("Bring it back", "Ta tillbaka den"),
    ("Show it", "Visa den"),
    ("Add a sub-goal", "Lägg till ett delmål"),
    ("The area it stands in", "Området det står under"),
    ("What it says", "Vad det säger"),
    ("Change its text", "Ändra texten"),
    ("A new text", "En ny text"),
    ("Move it, also to another area", "Flytta det, också till ett annat område"),
    ("Add an activity", "Lägg till en aktivitet"),
    ("The sub-goal it stands in", "Delmålet den står under"),
    ("What is done", "Vad som görs"),
    ("Change it: the same as radslag edit", "Ändra den: detsamma som radslag edit"),
    ("Move it, also to another sub-goal", "Flytta den, också till ett annat delmål"),
    ("Add a party", "Lägg till en part"),
    (
        "municipality, collective, organisation, network, role-group, project or person",
        "municipality (kommun), collective, organisation, network (nätverk), role-group (rollgrupp), project (projekt) eller person",
    ),
    ("The organisation that a person belongs to", "Organisationen som en person hör till"),
    ("Rename it: one change, wherever it is named", "Byt namn: en ändring, överallt där den nämns"),
    (
        "The organisation that a person belongs to; empty text removes it",
        "Organisationen som en person hör till; tom text tar bort den",
    ),
    ("A party has no place in the order", "En part har ingen plats i ordningen"),
    (
        "The event, by the eight digits that history and log print",
        "Händelsen, med de åtta siffrorna som history och log skriver",
    ),
    ("Only this entry", "Bara den här saken"),
    (
        "The earlier point: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, a baseline's name",
        "Den tidigare tidpunkten: 2019-04-10, 2019-04-10T12:00:00, igår, @12, en namngiven tidpunkt",
    ),
    ("The later point (default: now)", "Den senare tidpunkten (annars nu)"),
    (
        "What applies on that day at both points; two days, FROM..TO, for each its own",
        "Det som gäller den dagen vid båda; två dagar, FRÅN..TILL, för var sin",
    ),
    (
        "On the bases of an earlier answer, as they were printed: FROM..TO",
        "På underlagen för ett tidigare svar, som de skrevs ut: FRÅN..TILL",
    ),
    ("Only the last this many", "Bara de så många sista"),
    (
        "Count by organisation or member instead of listing",
        "Räkna per organisation (org) eller person (member) i stället för att lista",
    ),
    (
        "Only what was done by this decision: its registry number or a part of it",
        "Bara det som gjordes genom beslutet: diarienumret eller en del av det",
    ),
    ("Only those in which this organisation wrote a side", "Bara dem där organisationen skrivit en sida"),
    ("Give a point a name, for everybody", "Ge en tidpunkt ett namn, för alla"),
    ("The points that have a name", "Tidpunkterna som har ett namn"),
    (
        "The name; it can be used wherever a point in time is asked for",
        "Namnet; det kan användas överallt där en tidpunkt anges",
    ),
    (
        "The point: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, another baseline (default: the last record that is here)",
        "Tidpunkten: 2019-04-10, 2019-04-10T12:00:00, igår, @12, en annan namngiven (annars den sista posten som finns här)",
    ),
    (
        "The day that it is read for: 2027-01-01 (default: the day of its last record, or that of the baseline in --at)",
        "Dagen som den läses för: 2027-01-01 (annars den sista postens dag, eller den namngivna tidpunktens i --at)",
    ),
    (
        "The conflict, by the eight digits that conflicts prints",
        "Konflikten, med de åtta siffrorna som conflicts skriver",
    ),
    (
        "The side that stands: its event, its number in the list, or its organisation",
        "Sidan som ska gälla: dess händelse, nummer i listan eller organisation",
    ),
    ("A new value that stands", "Ett nytt värde som ska gälla"),
    (
        "Write what stands in an editor ($VISUAL, $EDITOR); it begins with what the sides give together",
        "Skriv det som ska gälla i en redigerare ($VISUAL, $EDITOR); den börjar med sidorna sammanförda",
    ),
    (
        "What waits to be pushed, and what will not land",
        "Vad som väntar på att lämnas in, och vad som inte kommer in",
    ),
    (
        "Give up changes that will not land, or the last ones that no server can have seen",
        "Ge upp ändringar som inte kommer in, eller de sista som ingen server kan ha sett",
    ),
    (
        "Write changes that will not land anew and queue them: in the place of the old ones, seen from where those were made",
        "Skriv om ändringar som inte kommer in och köa dem: i de gamlas ställe, sedda därifrån de gjordes",
    ),
    (
        "Which: numbers as the list prints them (3, 4–5, q12), or digits of the event; a group goes as a whole",
        "Vilka: nummer som i listan (3, 4–5, q12), eller siffror ur händelsen; en grupp går som helhet",
    ),
    ("Everything that will not land", "Allt som inte kommer in"),
    ("Do not ask", "Fråga inte"),
    (
        "Which: numbers as the list prints them (3, 4–5), or digits of the event; a group goes as a whole",
        "Vilka: nummer som i listan (3, 4–5), eller siffror ur händelsen; en grupp går som helhet",
    ),
    ("With this value instead of the one that was typed", "Med det här värdet i stället för det som skrevs"),
    (
        "With the value as it is after an editor ($VISUAL, $EDITOR)",
        "Med värdet som det är efter en redigerare ($VISUAL, $EDITOR)",
    ),
    (
        "Applying from this day on instead of the one that it had",
        "Gällande från den dagen i stället för den som var",
    ),
    (
        "Land only if nobody changes the fields from what they are now",
        "Kom in bara om ingen ändrar fälten från vad de är nu",
    ),
    ("Show only what happens in this area", "Visa bara det som händer i området"),
    ("Show only what this organisation does", "Visa bara det som organisationen gör"),
    ("The table: .tsv, .csv (or .txt), .json", "Tabellen: .tsv, .csv (eller .txt), .json"),
    ("Only say what would change", "Säg bara vad som skulle ändras"),
    (
        "What the file was exported from, as export printed it; CSV and JSON carry it",
        "Vad filen exporterades från, som export skrev det; CSV och JSON har det med sig",
    ),
    (
        "The same by a point in time: when the file was exported",
        "Detsamma som tidpunkt: när filen exporterades",
    ),
    (
        "From which day the changes apply: 2027-01-01 (default: from the day they are written)",
        "Från vilken dag ändringarna gäller: 2027-01-01 (annars dagen de skrivs)",
    ),
    (
        "The file to write, ending in .tsv, .csv or .json",
        "Filen som skrivs; den slutar på .tsv, .csv eller .json",
    ),
    (
        "What stands between the cells of a CSV file: ; or , or tab",
        "Vad som står mellan cellerna i en CSV-fil: ; eller , eller tab",
    ),
    ("Also compare with the server's checkpoint", "Jämför också med serverns kontrollpunkt"),
];
