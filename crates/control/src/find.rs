//! Finding people, agents, units, modules and tools by the beginnings of words in their names.
//!
//! `find_words` (migration 13) holds the folded words of each name; triggers keep it. A search is one range of an index
//! for each kind, so it costs the same in a large organization as in a small one.

use model::people::{Standing, UnitKind};
use model::{AgentId, ModuleId, ToolId, UnitId, UserId};

use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

/// Characters of a question that are looked at.
const LONGEST: usize = 120;
/// Words of a question that count; the others are not needed to find anything.
const WORDS: usize = 4;
/// Most of each kind.
const MOST: u16 = 50;

/// What was found, the best first, in each kind.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Found {
    /// People.
    pub people: Group<PersonHit>,
    /// Agents.
    pub agents: Group<AgentHit>,
    /// Departments and teams.
    pub units: Group<UnitHit>,
    /// Modules.
    pub modules: Group<ModuleHit>,
    /// Tools.
    pub tools: Group<ToolHit>,
}

impl Found {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.people.hits.is_empty()
            && self.agents.hits.is_empty()
            && self.units.hits.is_empty()
            && self.modules.hits.is_empty()
            && self.tools.hits.is_empty()
    }
}

/// Hits of one kind.
#[derive(Clone, PartialEq, Debug)]
pub struct Group<T> {
    /// The best, first things first.
    pub hits: Vec<T>,
    /// Whether there are more than these.
    pub more: bool,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self { hits: Vec::new(), more: false }
    }
}

impl<T> Group<T> {
    fn of(mut hits: Vec<T>, most: usize) -> Self {
        let more = hits.len() > most;
        hits.truncate(most);
        Self { hits, more }
    }
}

/// A person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonHit {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their mail address.
    pub email: String,
    /// The unit they sit in.
    pub unit: String,
    /// May they act.
    pub standing: Standing,
}

/// An agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentHit {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// The unit it sits in.
    pub unit: String,
    /// May it act.
    pub standing: Standing,
}

/// A department or team.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitHit {
    /// Its id.
    pub id: UnitId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: UnitKind,
    /// The unit above it.
    pub above: Option<String>,
}

/// A module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModuleHit {
    /// Its id.
    pub id: ModuleId,
    /// The name in its address and its tools' names.
    pub name: String,
    /// What people call it.
    pub title: String,
}

/// A tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolHit {
    /// Its id.
    pub id: ToolId,
    /// Its name inside its module.
    pub name: String,
    /// The module's name.
    pub module: String,
    /// What people call the module.
    pub module_title: String,
}

/// What is asked for, as the index has it.
struct Question {
    /// The word that the range of the index is made of: the longest.
    first: String,
    /// The others, of which each must begin a word too.
    others: Vec<String>,
    /// The whole, folded.
    whole: String,
    limit: i64,
}

/// Finds at most `most` (at most 50) of each kind whose name has, for each word of `text`, a word that begins so. Only
/// kinds that the actor may see; of agents at least their own. An empty text finds nothing.
pub async fn find(control: &Control, actor: &Actor, text: &str, most: u16) -> Result<Found, Error> {
    let mut tx = actor.read(control).await?;
    tx.bound_time().await?;
    let most = usize::from(most.clamp(1, MOST));
    let Some(question) = question(&mut tx, text, most).await? else { return Ok(Found::default()) };
    let (people, catalog) =
        (authority::may(actor, Deed::ReadPeople), authority::may(actor, Deed::ReadCatalog));
    let mut found = Found::default();
    if people {
        found.people = Group::of(persons(&mut tx, &question).await?, most);
        found.units = Group::of(units(&mut tx, &question).await?, most);
    }
    if people || actor.user_id().is_some() {
        let owner = (!people).then(|| actor.user_id().map(UserId::uuid)).flatten();
        found.agents = Group::of(agents(&mut tx, &question, owner).await?, most);
    }
    if catalog {
        found.modules = Group::of(modules(&mut tx, &question).await?, most);
        found.tools = Group::of(tools(&mut tx, &question).await?, most);
    }
    Ok(found)
}

/// The words of a question, cut by the same function that cut the names.
async fn question(tx: &mut TenantTx, text: &str, most: usize) -> Result<Option<Question>, Error> {
    let text: String = text.chars().filter(|c| *c != '\0').take(LONGEST).collect();
    let row = sqlx::query!(
        r#"SELECT fold($1) AS "whole!",
                  ARRAY(SELECT word FROM words_of(fold($1)) AS word ORDER BY length(word) DESC, word) AS "words!""#,
        text.trim(),
    )
    .fetch_one(tx.conn())
    .await?;
    let mut words = row.words.into_iter().take(WORDS);
    let Some(first) = words.next() else { return Ok(None) };
    Ok(Some(Question {
        first,
        others: words.collect(),
        whole: row.whole,
        limit: i64::try_from(most).unwrap_or(i64::MAX - 1) + 1,
    }))
}

// The five questions are one question to five tables: names that begin with the whole of it come first, then those
// with a word that is the word asked for, then by name. U+10FFFF comes after all that a word can go on with.

async fn persons(tx: &mut TenantTx, question: &Question) -> Result<Vec<PersonHit>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        r#"SELECT u.id, u.name, u.email, u.standing, n.name AS unit
           FROM (SELECT w.subject, bool_or(w.word = $2) AS exact FROM find_words w
                 WHERE w.tenant_id = $1 AND w.kind = 'user' AND w.word >= $2 AND w.word < $2 || U&'\+10FFFF'
                   AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS o WHERE NOT EXISTS (
                       SELECT FROM find_words x WHERE x.tenant_id = $1 AND x.kind = 'user' AND x.subject = w.subject
                         AND starts_with(x.word, o)))
                 GROUP BY w.subject) AS f
           JOIN users u ON u.tenant_id = $1 AND u.id = f.subject AND u.removed_at IS NULL
           JOIN units n ON n.tenant_id = $1 AND n.id = u.home_unit_id
           ORDER BY starts_with(fold(u.name), $4) DESC, f.exact DESC, lower(u.name), u.id LIMIT $5"#,
        tenant,
        question.first,
        &question.others,
        question.whole,
        question.limit,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(PersonHit {
            id: row.id.into(),
            name: row.name,
            email: row.email,
            unit: row.unit,
            standing: rows::word("user", &row.standing)?,
        })
    })
    .collect()
}

async fn agents(
    tx: &mut TenantTx,
    question: &Question,
    owner: Option<uuid::Uuid>,
) -> Result<Vec<AgentHit>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        r#"SELECT a.id, a.name, a.standing, u.name AS owner, n.name AS unit
           FROM (SELECT w.subject, bool_or(w.word = $2) AS exact FROM find_words w
                 WHERE w.tenant_id = $1 AND w.kind = 'agent' AND w.word >= $2 AND w.word < $2 || U&'\+10FFFF'
                   AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS o WHERE NOT EXISTS (
                       SELECT FROM find_words x WHERE x.tenant_id = $1 AND x.kind = 'agent' AND x.subject = w.subject
                         AND starts_with(x.word, o)))
                 GROUP BY w.subject) AS f
           JOIN agents a ON a.tenant_id = $1 AND a.id = f.subject AND a.retired_at IS NULL
           JOIN users u ON u.tenant_id = $1 AND u.id = a.owner_id
           JOIN units n ON n.tenant_id = $1 AND n.id = a.home_unit_id
           WHERE a.retired_at IS NULL AND ($6::uuid IS NULL OR a.owner_id = $6)
           ORDER BY starts_with(fold(a.name), $4) DESC, f.exact DESC, lower(a.name), a.id LIMIT $5"#,
        tenant,
        question.first,
        &question.others,
        question.whole,
        question.limit,
        owner,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(AgentHit {
            id: row.id.into(),
            name: row.name,
            owner: row.owner,
            unit: row.unit,
            standing: rows::word("agent", &row.standing)?,
        })
    })
    .collect()
}

async fn units(tx: &mut TenantTx, question: &Question) -> Result<Vec<UnitHit>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        r#"SELECT n.id, n.name, n.kind, p.name AS "above?"
           FROM (SELECT w.subject, bool_or(w.word = $2) AS exact FROM find_words w
                 WHERE w.tenant_id = $1 AND w.kind = 'unit' AND w.word >= $2 AND w.word < $2 || U&'\+10FFFF'
                   AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS o WHERE NOT EXISTS (
                       SELECT FROM find_words x WHERE x.tenant_id = $1 AND x.kind = 'unit' AND x.subject = w.subject
                         AND starts_with(x.word, o)))
                 GROUP BY w.subject) AS f
           JOIN units n ON n.tenant_id = $1 AND n.id = f.subject AND n.archived_at IS NULL
           LEFT JOIN units p ON p.tenant_id = $1 AND p.id = n.parent_id
           ORDER BY starts_with(fold(n.name), $4) DESC, f.exact DESC, lower(n.name), n.id LIMIT $5"#,
        tenant,
        question.first,
        &question.others,
        question.whole,
        question.limit,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(UnitHit {
            id: row.id.into(),
            name: row.name,
            kind: rows::word("unit", &row.kind)?,
            above: row.above,
        })
    })
    .collect()
}

async fn modules(tx: &mut TenantTx, question: &Question) -> Result<Vec<ModuleHit>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT m.id, m.name, m.title
           FROM (SELECT w.subject, bool_or(w.word = $2) AS exact FROM find_words w
                 WHERE w.tenant_id = $1 AND w.kind = 'module' AND w.word >= $2 AND w.word < $2 || U&'\+10FFFF'
                   AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS o WHERE NOT EXISTS (
                       SELECT FROM find_words x WHERE x.tenant_id = $1 AND x.kind = 'module' AND x.subject = w.subject
                         AND starts_with(x.word, o)))
                 GROUP BY w.subject) AS f
           JOIN modules m ON m.tenant_id = $1 AND m.id = f.subject
           ORDER BY starts_with(fold(m.title), $4) OR starts_with(m.name, $4) DESC, f.exact DESC, lower(m.title), m.id
           LIMIT $5"#,
        tenant,
        question.first,
        &question.others,
        question.whole,
        question.limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ModuleHit { id: row.id.into(), name: row.name, title: row.title })
        .collect())
}

async fn tools(tx: &mut TenantTx, question: &Question) -> Result<Vec<ToolHit>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT t.id, t.name, m.name AS module, m.title
           FROM (SELECT w.subject, bool_or(w.word = $2) AS exact FROM find_words w
                 WHERE w.tenant_id = $1 AND w.kind = 'tool' AND w.word >= $2 AND w.word < $2 || U&'\+10FFFF'
                   AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS o WHERE NOT EXISTS (
                       SELECT FROM find_words x WHERE x.tenant_id = $1 AND x.kind = 'tool' AND x.subject = w.subject
                         AND starts_with(x.word, o)))
                 GROUP BY w.subject) AS f
           JOIN tools t ON t.tenant_id = $1 AND t.id = f.subject AND t.standing <> 'withdrawn'
           JOIN modules m ON m.tenant_id = $1 AND m.id = t.module_id
           ORDER BY starts_with(fold(t.name), $4) OR starts_with(m.name || '.' || fold(t.name), $4) DESC, f.exact DESC,
                    m.name, lower(t.name), t.id
           LIMIT $5"#,
        tenant,
        question.first,
        &question.others,
        question.whole,
        question.limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ToolHit { id: row.id.into(), name: row.name, module: row.module, module_title: row.title })
        .collect())
}
