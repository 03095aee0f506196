//! A merge of texts that is offered, never made: word by word, three ways, with what the sides disagree on left open.
//!
//! A person decides; nothing here is hashed, stored or replayed, so it may change with any release.

use crate::class::same_text;

/// Above so many words and gaps in a text nothing is offered: nobody reads such a merge.
const MOST_PIECES: usize = 2_000;

/// A part of a merged text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All sides agree on this, or only one of them changed it.
    Agreed(String),
    /// Sides put different words here, one text for each.
    Overlap(Vec<String>),
}

/// What several texts give together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// In order; put together they are the text.
    pub parts: Vec<Part>,
}

impl Merged {
    /// The text, where no sides overlap.
    pub fn text(&self) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Agreed(words) => text.push_str(words),
                Part::Overlap(_) => return None,
            }
        }
        Some(text)
    }
}

/// Merges what became of `base` on each side. None where there is nothing to merge, or too much.
pub fn merge(base: &str, sides: &[&str]) -> Option<Merged> {
    let pieces: Vec<Vec<&str>> = sides.iter().map(|side| split(side)).collect();
    let base_pieces = split(base);
    if sides.len() < 2 || pieces.iter().chain([&base_pieces]).any(|pieces| pieces.len() > MOST_PIECES) {
        return None;
    }
    let mut merged = two(&base_pieces, &pieces[0], &pieces[1]);
    for side in &sides[2..] {
        let Some(text) = merged.text() else { break };
        merged = two(&base_pieces, &split(&text), &split(side));
    }
    if sides.len() > 2 && merged.text().is_none() {
        // Which of many texts stands where would be a riddle; all of them are clearer.
        let all = sides.iter().map(|side| (*side).to_owned()).collect();
        return Some(Merged { parts: vec![Part::Overlap(all)] });
    }
    Some(merged)
}

/// Words and the gaps between them, in order and without loss.
fn split(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut before = None;
    for (at, letter) in text.char_indices() {
        let gap = letter.is_whitespace();
        if before.is_some_and(|before| before != gap) {
            pieces.push(&text[from..at]);
            from = at;
        }
        before = Some(gap);
    }
    if from < text.len() {
        pieces.push(&text[from..]);
    }
    pieces
}

fn same_all(one: &[&str], two: &[&str]) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same_text(one, two))
}

/// For each piece of `base`, the piece of `side` that it became: a longest common subsequence.
fn kept(base: &[&str], side: &[&str]) -> Vec<Option<usize>> {
    let width = side.len() + 1;
    let mut length = vec![0u32; (base.len() + 1) * width];
    for at in (0..base.len()).rev() {
        for to in (0..side.len()).rev() {
            length[at * width + to] = if same_text(base[at], side[to]) {
                length[(at + 1) * width + to + 1] + 1
            } else {
                length[(at + 1) * width + to].max(length[at * width + to + 1])
            };
        }
    }
    let mut kept = vec![None; base.len()];
    let (mut at, mut to) = (0, 0);
    while at < base.len() && to < side.len() {
        if same_text(base[at], side[to]) && length[at * width + to] == length[(at + 1) * width + to + 1] + 1 {
            kept[at] = Some(to);
            (at, to) = (at + 1, to + 1);
        } else if length[(at + 1) * width + to] >= length[at * width + to + 1] {
            at += 1;
        } else {
            to += 1;
        }
    }
    kept
}

fn two(base: &[&str], one: &[&str], other: &[&str]) -> Merged {
    let (in_one, in_other) = (kept(base, one), kept(base, other));
    let mut parts: Vec<Part> = Vec::new();
    let (mut at, mut a, mut b) = (0, 0, 0);
    loop {
        // The next piece of the base that both sides kept; before it, somebody changed something.
        let next = (at..base.len()).find(|next| in_one[*next].is_some() && in_other[*next].is_some());
        let (until, one_until, other_until) = match next {
            Some(next) => (next, in_one[next].unwrap_or(one.len()), in_other[next].unwrap_or(other.len())),
            None => (base.len(), one.len(), other.len()),
        };
        decide(&mut parts, &base[at..until], &one[a..one_until], &other[b..other_until]);
        if next.is_none() {
            return Merged { parts };
        }
        agree(&mut parts, one[one_until]);
        (at, a, b) = (until + 1, one_until + 1, other_until + 1);
    }
}

fn decide(parts: &mut Vec<Part>, base: &[&str], one: &[&str], other: &[&str]) {
    if same_all(one, other) || same_all(other, base) {
        agree(parts, &one.concat());
    } else if same_all(one, base) {
        agree(parts, &other.concat());
    } else {
        parts.push(Part::Overlap(vec![one.concat(), other.concat()]));
    }
}

fn agree(parts: &mut Vec<Part>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Part::Agreed(before)) = parts.last_mut() {
        before.push_str(text);
    } else {
        parts.push(Part::Agreed(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(
            prop::sample::select(vec!["a", "ö", "möte", "i", "mars", " ", "  ", "\n"]),
            0..14,
        )
        .prop_map(|words| words.concat())
    }

    #[test]
    fn two_who_change_different_words_are_merged() {
        let merged =
            merge("Möte i mars med alla", &["Möte i april med alla", "Möte i mars med alla kommuner"]);
        assert_eq!(merged.unwrap().text().unwrap(), "Möte i april med alla kommuner");
    }

    #[test]
    fn two_who_change_the_same_word_are_shown_both() {
        let merged = merge("Möte i mars", &["Möte i april", "Möte i maj"]).unwrap();
        let overlap = Part::Overlap(vec!["april".to_owned(), "maj".to_owned()]);
        assert_eq!(merged.parts, [Part::Agreed("Möte i ".to_owned()), overlap]);
        assert_eq!(merged.text(), None);
    }

    #[test]
    fn the_same_letters_in_another_form_are_no_change() {
        let merged = merge("mo\u{308}te", &["m\u{f6}te", "mo\u{308}te nu"]).unwrap();
        assert_eq!(merged.text().unwrap().nfc().collect::<String>(), "m\u{f6}te nu");
    }

    #[test]
    fn what_nobody_would_read_is_not_offered() {
        let long = "a ".repeat(MOST_PIECES);
        assert_eq!(merge(&long, &["a", "b"]), None);
        assert_eq!(merge("a", &["b"]), None);
    }

    proptest! {
        #[test]
        fn where_one_side_alone_changed_its_text_comes_out(base in text(), side in text()) {
            prop_assert_eq!(merge(&base, &[&base, &side]).unwrap().text(), Some(side.clone()));
            prop_assert_eq!(merge(&base, &[&side, &base]).unwrap().text(), Some(side.clone()));
            prop_assert_eq!(merge(&base, &[&side, &side]).unwrap().text(), Some(side));
        }

        #[test]
        fn the_order_of_two_sides_does_not_matter(base in text(), one in text(), other in text()) {
            let (there, back) = (merge(&base, &[&one, &other]).unwrap(), merge(&base, &[&other, &one]).unwrap());
            prop_assert_eq!(there.text(), back.text());
        }

        #[test]
        fn no_word_that_a_side_brought_is_missing(base in text(), one in text(), other in text()) {
            let merged = merge(&base, &[&one, &other]).unwrap();
            let all: String = merged.parts.iter().map(|part| match part {
                Part::Agreed(text) => text.clone(),
                Part::Overlap(texts) => texts.concat(),
            }).collect();
            let old = split(&base);
            for word in split(&one).into_iter().chain(split(&other)).filter(|word| !old.contains(word)) {
                prop_assert!(all.contains(word), "{word:?} is not in {all:?}");
            }
        }

        #[test]
        fn splitting_loses_nothing(text in ".{0,60}") {
            prop_assert_eq!(split(&text).concat(), text);
        }
    }
}
