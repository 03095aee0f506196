//! One setting at a time: which source goes first, and how each is read and shown.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;
use crate::metrics::Metrics;

/// Who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag,
    /// This variable of the environment.
    Variable(String),
    /// This file.
    File(PathBuf),
    /// Nobody: it is built in.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key in a file.
    pub key: &'static str,
    /// The value as a file would say it.
    pub value: String,
    /// Who said so.
    pub source: Source,
}

/// The path of a file, or `off` for none. A file of that name is `./off`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "PathBuf")]
pub struct MaybePath(pub(super) Option<PathBuf>);

impl From<OsString> for MaybePath {
    fn from(text: OsString) -> Self {
        Self((text != "off").then(|| text.into()))
    }
}

impl From<PathBuf> for MaybePath {
    fn from(path: PathBuf) -> Self {
        path.into_os_string().into()
    }
}

impl fmt::Display for MaybePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => path.display().fmt(f),
            None => f.write_str("off"),
        }
    }
}

// The reader of a path cannot fail, but stands where others can.
pub(super) fn path_value(text: OsString) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

pub(crate) fn within<T: Copy + PartialOrd + From<u8> + fmt::Display>(
    number: T,
    most: T,
) -> Result<(), String> {
    if number < T::from(1) || number > most { Err(format!("it is not 1 to {most}")) } else { Ok(()) }
}

/// Reads a value of the environment.
pub(crate) type Read<'a, T> = &'a dyn Fn(OsString) -> Result<T, String>;

pub(crate) fn parsed<T: std::str::FromStr<Err: fmt::Display>>(text: OsString) -> Result<T, String> {
    let text = text.into_string().map_err(|_| "it is not UTF-8".to_owned())?;
    text.parse().map_err(|error: T::Err| error.to_string())
}

pub(crate) trait Shown {
    /// The value as a file says it.
    fn shown(&self) -> String;
}

macro_rules! shown_quoted {
    ($($type:ty: $text:expr),*) => {
        $(impl Shown for $type {
            fn shown(&self) -> String {
                let text: fn(&$type) -> String = $text;
                toml::Value::String(text(self)).to_string()
            }
        })*
    };
}

shown_quoted!(PathBuf: |path| path.display().to_string(), SocketAddr: ToString::to_string, String: Clone::clone, Metrics: ToString::to_string, MaybePath: ToString::to_string);

macro_rules! shown_plain {
    ($($type:ty),*) => {
        $(impl Shown for $type {
            fn shown(&self) -> String {
                self.to_string()
            }
        })*
    };
}

shown_plain!(usize, u32, u64);

/// The sources, and what was picked from them so far.
pub(crate) struct Layers<'a> {
    path: PathBuf,
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    settings: Vec<Setting>,
}

impl<'a> Layers<'a> {
    pub(super) const fn new(path: PathBuf, variable: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { path, variable, settings: Vec::new() }
    }

    pub(super) fn into_settings(self) -> Vec<Setting> {
        self.settings
    }

    /// The value of a setting: by the flag, the variable `RADSLAG_` and its key, the file, or built in.
    pub(crate) fn pick<T: Shown>(
        &mut self,
        key: &'static str,
        flag: Option<T>,
        file: Option<T>,
        built_in: T,
        read: Read<'_, T>,
    ) -> Result<T, ConfigError> {
        let name = format!("RADSLAG_{}", key.to_uppercase().replace('.', "_"));
        let (value, source) = match (flag, (self.variable)(&name), file) {
            (Some(value), _, _) => (value, Source::Flag),
            (None, Some(text), _) => {
                let said = text.to_string_lossy().into_owned();
                let source = Source::Variable(name);
                let value = read(text);
                let wrong = |what| ConfigError::Value { key, value: said, from: source.clone(), what };
                (value.map_err(wrong)?, source)
            }
            (None, None, Some(value)) => (value, Source::File(self.path.clone())),
            (None, None, None) => (built_in, Source::Default),
        };
        self.settings.push(Setting { key, value: value.shown(), source });
        Ok(value)
    }

    pub(crate) fn check(&self, key: &'static str, checked: Result<(), String>) -> Result<(), ConfigError> {
        let Err(what) = checked else { return Ok(()) };
        let setting = self.settings.iter().find(|setting| setting.key == key);
        let (value, from) = setting.map_or_else(
            || (String::new(), Source::Default),
            |setting| (setting.value.trim_matches('"').to_owned(), setting.source.clone()),
        );
        Err(ConfigError::Value { key, value, from, what })
    }
}
