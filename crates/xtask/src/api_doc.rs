//! Every call of `proto/` has its place in `docs/api.md`: its name in bold, `**Service.Call**`, a request in Python and what was
//! answered. Whether the answers are true is for `tests/python/client_test.py`, which runs them.

use std::fs;
use std::path::Path;

const PAGE: &str = "docs/api.md";
const SERVICES: &str = "proto/radslag/api/v1";
/// A block that is run, and a block that was printed.
const REQUEST: &str = "```python\n";
const ANSWER: &str = "```text\n";

/// Compares the services with the page.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let mut calls = Vec::new();
    let folder = root.join(SERVICES);
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        calls.extend(calls_of(&read(&path)?));
    }
    if calls.is_empty() {
        return Err(format!("no calls were found in {SERVICES}"));
    }
    calls.sort();
    crate::all_well("docs/api.md and the calls do not agree:", &missing(&calls, &read(&root.join(PAGE))?))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Every call of a protobuf file, as (service, call).
fn calls_of(source: &str) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    let mut service = None;
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix("service ") {
            service = rest.split_whitespace().next().map(str::to_owned);
        } else if let (Some(rest), Some(service)) = (line.trim_start().strip_prefix("rpc "), &service) {
            let name = rest.split('(').next().unwrap_or_default().trim();
            calls.push((service.clone(), name.to_owned()));
        }
    }
    calls
}

/// What the page lacks, and what it names that is gone, one sentence each.
fn missing(calls: &[(String, String)], page: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (service, call) in calls {
        let name = format!("**{service}.{call}**");
        let Some(at) = page.find(&name) else {
            wrong.push(format!("{PAGE} has no place for {name}"));
            continue;
        };
        let own = own_part(&page[at + name.len()..]);
        if !page
            .split(REQUEST)
            .skip(1)
            .any(|block| block.split("```").next().is_some_and(|code| calls_it(code, call)))
        {
            wrong.push(format!("no block of Python in {PAGE} calls {call}"));
        }
        if !own.contains(REQUEST) || !own.contains(ANSWER) {
            wrong.push(format!("under {name} {PAGE} lacks a request in Python or what it was answered"));
        }
    }
    for named in page.split("**").skip(1).step_by(2) {
        if let Some((service, call)) = named.split_once('.')
            && service.ends_with("Service")
            && !calls.iter().any(|known| known.0 == service && known.1 == call)
        {
            wrong.push(format!("{PAGE} names {named}, which is not a call"));
        }
    }
    wrong
}

/// Whether Python calls it, or hands it on to be called.
fn calls_it(code: &str, call: &str) -> bool {
    [format!(".{call}("), format!(".{call},")].iter().any(|named| code.contains(named))
}

/// The page up to the next call that it names.
fn own_part(rest: &str) -> &str {
    let next = rest.match_indices("**").find(|(at, _)| {
        rest[at + 2..]
            .split_once("**")
            .is_some_and(|(name, _)| name.contains("Service.") && !name.contains('\n'))
    });
    next.map_or(rest, |(at, _)| &rest[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTO: &str = "// rpc of a comment\nservice ReadService {\n  // One.\n  rpc Get(GetRequest) returns (GetResponse);\n  rpc \
                         Follow(A) returns (stream B);\n}\nmessage M {}\n";

    fn calls() -> Vec<(String, String)> {
        calls_of(PROTO)
    }

    fn section(name: &str) -> String {
        format!("**ReadService.{name}** says.\n\n```python\nread.{name}(x)\n```\n\n```text\n{{}}\n```\n")
    }

    #[test]
    fn calls_are_read_with_their_service() {
        let expected = [("ReadService", "Get"), ("ReadService", "Follow")];
        assert_eq!(calls(), expected.map(|(service, call)| (service.to_owned(), call.to_owned())));
    }

    #[test]
    fn a_page_with_every_call_passes_and_one_that_lacks_any_part_of_one_does_not() {
        let page = section("Get") + &section("Follow");
        assert_eq!(missing(&calls(), &page), Vec::<String>::new());
        assert_eq!(missing(&calls(), &section("Get")).len(), 1);
        let unanswered = section("Get").replace("```text\n{}\n```\n", "") + &section("Follow");
        assert!(missing(&calls(), &unanswered)[0].starts_with("under **ReadService.Get**"));
        let uncalled = section("Get") + &section("Follow").replace("read.Follow(x)", "pass");
        assert_eq!(missing(&calls(), &uncalled), ["no block of Python in docs/api.md calls Follow"]);
        let gone = page + "**ReadService.Put** was.";
        assert_eq!(missing(&calls(), &gone), ["docs/api.md names ReadService.Put, which is not a call"]);
    }

    #[test]
    fn the_calls_of_this_project_are_found() {
        let proto = read(&crate::root().join(SERVICES).join("sync.proto")).unwrap();
        let found: Vec<String> = calls_of(&proto).into_iter().map(|(_, call)| call).collect();
        assert_eq!(found, ["Hello", "Push", "Subscribe", "GetSnapshot"]);
    }
}
