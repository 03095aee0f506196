//! Whether what a page shows and what was printed are the same but for ids, times and roots; and which id of the page is which of this run.

use std::collections::BTreeMap;

/// The ids that a page shows, and what they are in this run.
#[derive(Default)]
pub(super) struct Known(BTreeMap<String, String>);

impl Known {
    /// Looks for lines of a page, side by side, among those that were printed, and learns their ids.
    pub(super) fn find(&mut self, shown: &[String], printed: &[String]) -> bool {
        let Some(last) = printed.len().checked_sub(shown.len()) else { return false };
        let found = (0..=last).find_map(|from| {
            let pairs: Option<Vec<_>> =
                shown.iter().zip(&printed[from..]).map(|(shown, printed)| alike(shown, printed)).collect();
            pairs.map(|pairs| pairs.concat())
        });
        let is_there = found.is_some();
        self.0.extend(found.unwrap_or_default());
        is_there
    }

    /// A line of the page with the ids of this run.
    ///
    /// # Errors
    /// An id was not shown before.
    pub(super) fn put_in(&self, line: &str) -> Result<String, String> {
        let mut out = Vec::new();
        for word in line.split(' ') {
            if is_id(word) {
                out.push(self.0.get(word).ok_or_else(|| word.to_owned())?.as_str());
            } else {
                out.push(word);
            }
        }
        Ok(out.join(" "))
    }
}

/// Whether some line that was printed has these words, one after another.
pub(super) fn printed_somewhere<'a>(shown: &str, mut printed: impl Iterator<Item = &'a String>) -> bool {
    let shown: Vec<&str> = shown.split_whitespace().collect();
    printed.any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words
            .windows(shown.len())
            .any(|window| window.iter().zip(&shown).all(|(word, shown)| same(shown, word)))
    })
}

/// The ids of two lines that are alike, none where they are not. How wide columns are is for other tests.
fn alike(shown: &str, printed: &str) -> Option<Vec<(String, String)>> {
    let (shown, printed): (Vec<&str>, Vec<&str>) =
        (shown.split_whitespace().collect(), printed.split_whitespace().collect());
    if shown.len() != printed.len()
        || !shown.iter().zip(&printed).all(|(shown, printed)| same(shown, printed))
    {
        return None;
    }
    let ids = shown.into_iter().zip(printed).filter(|(shown, _)| is_id(shown));
    Some(ids.map(|(shown, printed)| (shown.to_owned(), printed.to_owned())).collect())
}

fn same(shown: &str, printed: &str) -> bool {
    let [a, b] = [shown, printed].map(|word| word.trim_matches(['(', ')', ',', ';', '.']));
    let both = |is: fn(&str) -> bool| is(a) && is(b);
    a == b
        || both(is_id)
        || both(is_hash)
        || both(is_uuid)
        || both(is_day)
        || both(is_time)
        || both(is_rule)
        || both(is_address)
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_id(word: &str) -> bool {
    word.len() == 8 && is_hex(word)
}

fn is_hash(word: &str) -> bool {
    word.len() == 64 && is_hex(word)
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && word.split('-').all(is_hex)
}

fn is_day(word: &str) -> bool {
    word.len() == 10 && word.split('-').map(str::len).eq([4, 2, 2]) && word.split('-').all(is_hex)
}

fn is_time(word: &str) -> bool {
    word.len() == 5 && word.split(':').map(str::len).eq([2, 2]) && word.split(':').all(is_hex)
}

/// What stands under the heads of a table.
fn is_rule(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte == b'-')
}

fn is_address(word: &str) -> bool {
    word.strip_prefix("http://127.0.0.1:").is_some_and(|port| port.parse::<u16>().is_ok())
}

#[test]
fn ids_and_times_may_differ_and_nothing_else() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let shown = lines("bc28aac1  Dagen: cost\n1  50 000 kr  2026-11-24 00:36  806831df");
    let printed = lines("before\n01234567  Dagen: cost\n1 50\u{a0}000 kr  2027-01-02 12:30  89abcdef\nafter");
    let mut known = Known::default();
    assert!(known.find(&shown, &printed));
    assert_eq!(
        known.put_in("radslag resolve bc28aac1 --take 806831df"),
        Ok("radslag resolve 01234567 --take 89abcdef".to_owned())
    );
    assert_eq!(known.put_in("radslag undo ffffffff"), Err("ffffffff".to_owned()));
    for other in ["bc28aac1  Dagen: time", "bc28aac1  Dagen: cost  more", "Dagen: cost"] {
        assert!(!Known::default().find(&lines(other), &printed), "{other}");
    }
    assert!(!Known::default().find(&shown, &printed[..2]));
    assert!(
        printed_somewhere("Dagen: cost", printed.iter()) && !printed_somewhere("Dagen: time", printed.iter())
    );
}
