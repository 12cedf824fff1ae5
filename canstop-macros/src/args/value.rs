//! What an option's value can be, and how each kind is read.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser as _;
use syn::{Expr, Ident, LitInt, LitStr, Path};

use super::Row;
use super::duration;
use super::entry::{Entry, Form, forgotten_comma};
use crate::diag::joined;
use crate::tokens;

/// A kind of value. A fault is reported on the user's own token, with what to write instead.
pub(crate) trait Value: Sized {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self>;
}

/// What is written in the attribute, or an expression that gives it when the program runs.
pub(crate) enum Setting<T> {
    Written(T),
    /// An expression of the option's type, which is the compiler's to judge.
    Computed(TokenStream),
}

impl<T> Setting<T> {
    /// The value, if it is known already.
    pub(crate) fn written(&self) -> Option<&T> {
        match self {
            Self::Written(value) => Some(value),
            Self::Computed(_) => None,
        }
    }

    /// The value as an expression.
    pub(crate) fn expression(&self, of_written: impl FnOnce(&T) -> TokenStream) -> TokenStream {
        match self {
            Self::Written(value) => of_written(value),
            Self::Computed(expression) => expression.clone(),
        }
    }
}

impl<T: Value> Value for Setting<T> {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        match computed(entry.value(row)?) {
            Some(expression) => Ok(Self::Computed(expression)),
            None => T::read(entry, row).map(Self::Written),
        }
    }
}

/// The value as an expression, if it can be nothing else: `config().grace`, `GRACE`. A literal is for the
/// option to read, and a word in small letters has lost its quotes, for nothing of such a name can be
/// meant here.
fn computed(value: &[TokenTree]) -> Option<TokenStream> {
    if let [TokenTree::Literal(_)] = value {
        return None;
    }
    let tokens: TokenStream = value.iter().cloned().collect();
    let is_value = match syn::parse2::<Expr>(tokens.clone()).ok()? {
        Expr::Path(path) => path.path.get_ident().is_none_or(|word| !word.to_string().contains(char::is_lowercase)),
        Expr::Unary(unary) => !matches!(&*unary.expr, Expr::Lit(_)),
        Expr::Lit(_) | Expr::Infer(_) | Expr::Closure(_) | Expr::Async(_) | Expr::Assign(_) | Expr::Verbatim(_) => {
            false
        }
        _ => true,
    };
    is_value.then_some(tokens)
}

/// An option that is only there or not.
pub(crate) struct Flag;

impl Value for Flag {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        match entry.form {
            Form::Alone => Ok(Self),
            Form::Value(_) | Form::List(_) => {
                Err(syn::Error::new_spanned(entry, format!("`{}` takes no value: write `{}`", row.name, row.form)))
            }
        }
    }
}

/// A name for people to read.
pub(crate) struct Name(pub(crate) String);

impl Value for Name {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let text = entry.text(row)?;
        let name = text.value();
        if name.trim().is_empty() {
            return Err(refused(&text, row, "the name is empty"));
        }
        Ok(Self(name))
    }
}

/// An expression whose value names one session among those of its site.
pub(crate) struct Label(pub(crate) TokenStream);

impl Value for Label {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let value = entry.value(row)?;
        if let Some(text) = tokens::text(value) {
            let text = text.token();
            return Err(syn::Error::new_spanned(
                &text,
                format!("a label that never changes is a name: write {text} first, without `label =`"),
            ));
        }
        let tokens: TokenStream = value.iter().cloned().collect();
        match syn::parse2::<Expr>(tokens.clone()) {
            Ok(Expr::Lit(_) | Expr::Infer(_) | Expr::Assign(_) | Expr::Verbatim(_)) | Err(_) => {
                Err(entry.ill_typed(row))
            }
            Ok(_) => Ok(Self(tokens)),
        }
    }
}

/// A duration of which zero is a sensible value.
impl Value for Duration {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let text = unquoted_or_text(entry, row)?;
        duration::read(&text.value()).map_err(|why| refused_as(&text, row, &why))
    }
}

/// A duration of which zero would mean that nothing could ever work.
pub(crate) struct Positive(pub(crate) Duration);

impl Value for Positive {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let duration = Duration::read(entry, row)?;
        if duration.is_zero() {
            let text = entry.text(row)?;
            return Err(refused(&text, row, "that is no time at all"));
        }
        Ok(Self(duration))
    }
}

/// The bounds of the wait before a restart.
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Value for Backoff {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let text = entry.text(row)?;
        let written = text.value();
        let Some((min_text, max_text)) = written.split_once("..") else {
            return Err(refused(&text, row, "there is no `..` in it"));
        };
        let bound = |part: &str| duration::read(part).map_err(|why| refused_as(&text, row, &why));
        if max_text.starts_with('=') {
            return Err(refused(&text, row, "the upper bound is always included"));
        }
        let (min, max) = (bound(min_text)?, bound(max_text)?);
        if min.is_zero() {
            return Err(refused(&text, row, "a wait that begins at zero never grows"));
        }
        if min > max {
            return Err(syn::Error::new_spanned(
                &text,
                format!(
                    "`{0}` goes from the shorter to the longer: write `{0} = \"{max_text}..{min_text}\"`",
                    row.name
                ),
            ));
        }
        Ok(Self { min, max })
    }
}

/// How many failures in how long.
pub(crate) struct Limit {
    pub(crate) failures: u32,
    pub(crate) window: Duration,
}

impl Value for Limit {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let text = entry.text(row)?;
        let written = text.value();
        let words: Vec<&str> = written.split_whitespace().collect();
        let [count, "in", window] = words.as_slice() else {
            return Err(refused(&text, row, "it is not a number, `in` and a duration"));
        };
        let Ok(failures) = count.parse::<u32>() else {
            return Err(refused(&text, row, &format!("\"{count}\" is not a number of failures")));
        };
        if failures == 0 {
            return Err(syn::Error::new_spanned(
                &text,
                "no failure can stay under a limit of 0: to stop at the first one, write \
                 `restart = \"never\"` instead",
            ));
        }
        let window = duration::read(window).map_err(|why| refused_as(&text, row, &why))?;
        if window.is_zero() {
            return Err(refused(&text, row, "that is no time at all"));
        }
        Ok(Self { failures, window })
    }
}

/// A number of things, at least one.
pub(crate) struct Count(pub(crate) usize);

impl Value for Count {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let value = entry.value(row)?;
        if let Some(text) = tokens::text(value)
            && text.value().parse::<usize>().is_ok()
        {
            let (name, number) = (row.name, text.value());
            return Err(syn::Error::new_spanned(
                text,
                format!("`{name}` takes a number without quotes: write `{name} = {number}`"),
            ));
        }
        if let [TokenTree::Literal(_), second, ..] = value {
            return Err(forgotten_comma(second));
        }
        let number = tokens::literal(value)
            .and_then(|literal| syn::parse2::<LitInt>(literal.into_token_stream()).ok())
            .ok_or_else(|| entry.ill_typed(row))?;
        match number.base10_parse::<usize>() {
            Ok(0) => Err(syn::Error::new_spanned(
                number,
                format!("`{}` must be at least 1; leave it out for the default", row.name),
            )),
            Ok(count) => Ok(Self(count)),
            Err(_) => Err(entry.ill_typed(row)),
        }
    }
}

/// A path to a module or crate.
impl Value for Path {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let value: TokenStream = entry.value(row)?.iter().cloned().collect();
        Path::parse_mod_style.parse2(value).map_err(|_| entry.ill_typed(row))
    }
}

/// Functions by their paths, each once. There may be none.
pub(crate) struct Functions(pub(crate) Vec<Path>);

impl Value for Functions {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        distinct(entry, row, |written| function(written, row)).map(Self)
    }
}

/// Services that this one needs, at least one.
pub(crate) struct Needs(pub(crate) Vec<Need>);

/// A service, as another one's attribute names it.
pub(crate) enum Need {
    /// By its function.
    Function(Path),
    /// By its name, for a function that does not name one service: one that takes `impl Trait` is many functions.
    Name(LitStr),
}

impl Need {
    /// Whether it is the service of this function and name.
    pub(crate) fn is(&self, ident: &Ident, name: &str) -> bool {
        match self {
            Self::Function(path) => path.is_ident(ident),
            Self::Name(written) => written.value() == name,
        }
    }
}

impl ToTokens for Need {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Function(path) => path.to_tokens(tokens),
            Self::Name(name) => name.to_tokens(tokens),
        }
    }
}

impl Value for Needs {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let needs = distinct(entry, row, |written| match syn::parse2::<LitStr>(written.clone()) {
            Ok(name) if name.value().trim().is_empty() => Err(refused(&name, row, "a name is empty")),
            Ok(name) => Ok(Need::Name(name)),
            Err(_) => function(written, row).map(Need::Function),
        })?;
        not_empty(entry, row, needs).map(Self)
    }
}

/// A function by its path.
fn function(written: &TokenStream, row: &Row) -> syn::Result<Path> {
    syn::parse2::<Path>(written.clone()).map_err(|_| {
        let mend = match written.clone().into_iter().next() {
            Some(TokenTree::Ident(_)) => "name the function without calling it",
            Some(TokenTree::Literal(_)) => "name the function without quotes",
            _ => "name the function",
        };
        let (name, form) = (row.name, row.form);
        syn::Error::new_spanned(written, format!("`{name}` takes paths: {mend}, as in `{form}`"))
    })
}

/// Crates by their names, at least one.
pub(crate) struct Crates(pub(crate) Vec<Ident>);

impl Value for Crates {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let crates = distinct(entry, row, |written| {
            syn::parse2::<Ident>(written.clone()).map_err(|_| {
                let (name, form) = (row.name, row.form);
                let dashed = written.to_string().replace(' ', "");
                let mend = if dashed.contains('-') && !dashed.contains('"') {
                    format!("{name}({})", dashed.replace('-', "_"))
                } else {
                    form.to_owned()
                };
                syn::Error::new_spanned(written, format!("`{name}` takes crates as code names them: write `{mend}`"))
            })
        })?;
        not_empty(entry, row, crates).map(Self)
    }
}

/// Reads a list without duplicates, and reports every element that is wrong.
fn distinct<T: ToTokens>(
    entry: &Entry,
    row: &Row,
    read: impl Fn(&TokenStream) -> syn::Result<T>,
) -> syn::Result<Vec<T>> {
    let mut seen: Vec<String> = Vec::new();
    let mut read_ones = Vec::new();
    let mut faults: Option<syn::Error> = None;
    for written in entry.list(row)? {
        let text = written.to_string();
        let fault = if seen.contains(&text) {
            let spoken = text.replace(' ', "");
            let name = row.name;
            Some(syn::Error::new_spanned(&written, format!("`{name}` names `{spoken}` twice; remove one")))
        } else {
            read(&written).map(|one| read_ones.push(one)).err()
        };
        seen.push(text);
        faults = [faults, fault].into_iter().flatten().reduce(joined);
    }
    faults.map_or(Ok(read_ones), Err)
}

fn not_empty<T>(entry: &Entry, row: &Row, list: Vec<T>) -> syn::Result<Vec<T>> {
    if list.is_empty() {
        let Row { name, form, .. } = row;
        return Err(syn::Error::new_spanned(
            &entry.key,
            format!("`{name}` names nothing: write `{form}`, or leave it out"),
        ));
    }
    Ok(list)
}

/// A string, or the mend of a duration written without its quotes.
fn unquoted_or_text(entry: &Entry, row: &Row) -> syn::Result<LitStr> {
    if let Some(literal) = tokens::literal(entry.value(row)?) {
        let bare = literal.to_string();
        let meant = if bare.ends_with(|c: char| c.is_ascii_digit()) { format!("{bare}s") } else { bare };
        if duration::read(&meant).is_ok() {
            let name = row.name;
            return Err(syn::Error::new_spanned(
                literal,
                format!("`{name}` takes a duration in quotes: write `{name} = \"{meant}\"`"),
            ));
        }
    }
    entry.text(row)
}

/// A fault of a value that has the right shape and no sense, with the row's example as mend.
fn refused(text: &LitStr, row: &Row, why: &str) -> syn::Error {
    let Row { name, takes, form, .. } = row;
    syn::Error::new_spanned(text, format!("`{name}` takes {takes}, and {why}: write for example `{form}`"))
}

/// The same, where the reason brings its own mend.
fn refused_as(text: &LitStr, row: &Row, why: &str) -> syn::Error {
    let Row { name, takes, .. } = row;
    syn::Error::new_spanned(text, format!("`{name}` takes {takes}, and {why}"))
}
