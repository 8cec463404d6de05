//! What forms send, and what becomes of it: a redirect that says what was done, or the form again with what was typed.

use std::str::FromStr;

use app::document::Notice;
use app::pieces::field::{FORM, FieldError};
use app::pieces::form::Form;
use app::wording;
use axum::extract::{FromRequest, Request};
use axum::response::{Html, IntoResponse, Redirect, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::refusal::Refusal;
use super::session::{AGAIN, Person};

/// Most fields of one form.
const MOST: usize = 20_000;

/// What a form has sent, as it was typed: names and values in their order; names can repeat. From the body of a POST
/// (`application/x-www-form-urlencoded`), or from the query of a GET.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Typed(Vec<(String, String)>);

impl Typed {
    /// The first value of a field as it was typed; empty when there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Whether there is such a field at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// All fields in their order, as they were typed.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a field that may be left out: none when there is nothing but space in it.
    pub(super) fn maybe(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty())
    }

    /// All values of a field that repeats.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every field, in order.
    pub(super) fn fields(&self) -> &[(String, String)] {
        &self.0
    }

    /// The same, for names that are made up on the way.
    pub(super) fn values<'a>(&'a self, name: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a box is ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// An id or another word that a person has not typed but chosen. What is none is an error of the field.
    pub(super) fn chosen<T: FromStr>(&self, name: &'static str, wanted: &str) -> Result<T, FieldError> {
        self.text(name).parse().map_err(|_| FieldError::new(name, wanted))
    }

    /// The same, where nothing may be chosen.
    pub(super) fn maybe_chosen<T: FromStr>(
        &self,
        name: &'static str,
        wanted: &str,
    ) -> Result<Option<T>, FieldError> {
        if self.maybe(name).is_none() { Ok(None) } else { self.chosen(name, wanted).map(Some) }
    }

    /// Whether these are the very fields of a query.
    pub(super) fn is_query(&self, query: &str) -> bool {
        Self::read(query.as_bytes()).is_ok_and(|fields| fields == *self)
    }

    /// The form again, with what was typed.
    pub(super) fn form(&self) -> Form {
        Form::new(self.0.clone())
    }

    /// The form again, with what was typed and what is wrong.
    pub(super) fn wrong(&self, errors: Vec<FieldError>) -> Form {
        self.form().wrong(errors)
    }

    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let fields: Vec<_> = form_urlencoded::parse(bytes).take(MOST + 1).collect();
        if fields.len() > MOST {
            return Err(Refusal::Unreadable);
        }
        // Browsers send what is typed on several lines with CR LF between them (HTML, 4.10.21.4).
        let text = |text: std::borrow::Cow<'_, str>| text.replace("\r\n", "\n");
        Ok(Self(fields.into_iter().map(|(name, value)| (name.into_owned(), text(value))).collect()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Typed {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        if !request.method().is_safe() {
            let kind = request.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_vec());
            if !kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
                return Err(Refusal::Unreadable.into_response());
            }
            let bytes = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
            return Ok(Self::read(&bytes)?);
        }
        Ok(Self::read(request.uri().query().unwrap_or_default().as_bytes())?)
    }
}

/// What is wrong with what was typed, for the form; everything else is a page of its own.
pub(super) fn errors(error: control::Error) -> Result<Vec<FieldError>, Refusal> {
    match error {
        control::Error::Invalid { field, sentence } => {
            Ok(vec![FieldError::new(field, wording::sentence(&sentence))])
        }
        // Wherever a name may be taken already, the field that asks for it is called so.
        control::Error::Refused { code, sentence } => {
            let field = if code == "name_taken" { "name" } else { FORM };
            Ok(vec![FieldError::new(field, wording::sentence(&sentence))])
        }
        other => Err(other.into()),
    }
}

/// A page whose form has to be filled in again.
pub(super) fn again(page: String) -> Response {
    (AGAIN, Html(page)).into_response()
}

/// It was done: on to a page, which says so.
pub(super) async fn done(person: &Person, notice: Notice, to: &str) -> Result<Response, Refusal> {
    person.session.insert(super::session::NOTICE, notice).await?;
    Ok(Redirect::to(to).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_typed() {
        let typed = Typed::read(b"name=+Ada+&cell=a&cell=b%00&empty=+&%FF=x").unwrap();
        assert_eq!(typed.text("name"), " Ada ");
        assert_eq!(typed.maybe("name"), Some("Ada"));
        assert_eq!(typed.maybe("empty"), None);
        assert_eq!(typed.all("cell").collect::<Vec<_>>(), ["a", "b\0"]);
        assert_eq!(typed.text("missing"), "");
        assert_eq!(Typed::read(b"list=a%0D%0Ab%0D%0A").unwrap().text("list"), "a\nb\n");
        assert!(typed.chosen::<u32>("name", "Choose a number.").is_err());
    }

    #[test]
    fn a_form_of_too_many_fields_is_not_read() {
        assert!(Typed::read("a=1&".repeat(MOST).as_bytes()).is_ok());
        assert!(Typed::read("a=1&".repeat(MOST + 1).as_bytes()).is_err());
    }
}
