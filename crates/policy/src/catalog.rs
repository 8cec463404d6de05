//! What there is in a directory: modules and tools, who is shown which, and finding one by its name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use cedar_policy::EntityUid;
use model::access::PermissionKey;
use model::catalog::{Feature, ModuleStanding, ToolStanding};
use model::people::Standing;
use model::{ModuleId, ToolId};
use serde_json::value::RawValue;

use crate::decision::Refusal;
use crate::directory::{BuildError, Directory, Origin, Principal, Tool, found, once};
use crate::entities::Gathering;
use crate::explain::shown as shown_name;
use crate::facts::{ModuleFact, ToolFact};
use crate::people::Person;
use crate::schema::Action;
use crate::template;

/// Names longer than this are not compared: comparing takes time with the product of their lengths.
const LONGEST_COMPARED: usize = 64;
/// How many names a refusal suggests at most.
const SUGGESTED: usize = 3;

/// A module with who answers for it.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) fact: ModuleFact,
    pub(crate) owner: Option<Arc<Person>>,
    pub(crate) uid: EntityUid,
}

/// All modules and tools.
#[derive(Debug)]
pub(crate) struct Catalog {
    modules: HashMap<ModuleId, Module>,
    /// By full name.
    tools: BTreeMap<Arc<str>, Shelved>,
    /// One tool for each kind that policies can tell apart.
    samples: Vec<EntityUid>,
}

/// Tools that policies cannot tell apart.
#[derive(Debug)]
pub(crate) struct Kind<'a> {
    /// One of them, to ask about.
    pub(crate) sample: &'a EntityUid,
    /// The key they ask for.
    pub(crate) key: &'a PermissionKey,
    /// Whether they take calls at all.
    pub(crate) callable: bool,
    /// How many there are.
    pub(crate) tools: usize,
}

/// A tool and its kind, a place in `samples`. Tools of one module with one key and one standing are of one
/// kind: they differ in nothing that policies read.
#[derive(Debug)]
struct Shelved {
    tool: Arc<Tool>,
    kind: usize,
}

impl Catalog {
    /// Puts the tools with their modules and makes their entities.
    pub(crate) fn fill(
        modules: HashMap<ModuleId, Module>,
        facts: Vec<ToolFact>,
        origin: Origin,
        gathering: &mut Gathering,
    ) -> Result<Self, BuildError> {
        let mut names = HashMap::with_capacity(modules.len());
        for module in modules.values() {
            let name = module.fact.name.clone();
            if names.insert(name.clone(), ()).is_some() {
                return Err(BuildError::SameName { name });
            }
        }
        let mut ids = HashMap::with_capacity(facts.len());
        let mut tools: BTreeMap<Arc<str>, Shelved> = BTreeMap::new();
        let mut samples = Vec::new();
        let mut kinds = HashMap::new();
        for fact in facts {
            let module = found(modules.get(&fact.module), || format!("tool {}", fact.name), fact.module)?;
            once(&mut ids, fact.id, fact.name.clone(), |name| format!("tool {name}"))?;
            let tool = Arc::new(tool(fact, module, origin, gathering)?);
            let kind = *kinds.entry((tool.module, tool.key.clone(), tool.standing)).or_insert_with(|| {
                samples.push(tool.uid.clone());
                samples.len() - 1
            });
            if let Some(same) = tools.insert(Arc::clone(&tool.full_name), Shelved { tool, kind }) {
                return Err(BuildError::SameName { name: same.tool.full_name.to_string() });
            }
        }
        Ok(Self { modules, tools, samples })
    }

    /// The keys that tools ask for.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &PermissionKey> {
        self.tools.values().map(|shelved| &shelved.tool.key)
    }

    /// Each kind of tools.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind<'_>> {
        let mut kinds: BTreeMap<usize, Kind<'_>> = BTreeMap::new();
        for Shelved { tool, kind } in self.tools.values() {
            let Some(sample) = self.samples.get(*kind) else { continue };
            let live =
                self.module_of(tool).is_some_and(|module| module.fact.standing == ModuleStanding::Live);
            let callable = live && tool.standing == ToolStanding::Approved;
            kinds.entry(*kind).or_insert(Kind { sample, key: &tool.key, callable, tools: 0 }).tools += 1;
        }
        kinds.into_values()
    }

    /// Every tool by full name, each with what stands for it and its like where Cedar is asked: tools with the same
    /// sample are answered alike.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Arc<Tool>, usize, &EntityUid)> {
        self.tools
            .values()
            .filter_map(|shelved| Some((&shelved.tool, shelved.kind, self.samples.get(shelved.kind)?)))
    }

    /// Every tool by its id.
    pub(crate) fn by_id(&self) -> HashMap<ToolId, &Arc<Tool>> {
        self.tools.values().map(|shelved| (shelved.tool.id, &shelved.tool)).collect()
    }

    /// One tool by its full name, with its sample.
    pub(crate) fn one(&self, full_name: &str) -> Option<(&Arc<Tool>, &EntityUid)> {
        let shelved = self.tools.get(full_name)?;
        Some((&shelved.tool, self.samples.get(shelved.kind)?))
    }

    /// What agents mean by a name or URI of this kind.
    fn find(&self, feature: Feature, shown: &str) -> Option<&Arc<Tool>> {
        let of_kind = |full_name: &str, feature| {
            self.tools.get(full_name).map(|shelved| &shelved.tool).filter(|tool| tool.feature == feature)
        };
        match feature {
            Feature::Tool => of_kind(shown, feature),
            Feature::Prompt => {
                let (module, name) = shown.split_once('.')?;
                of_kind(&format!("{module}.{}", feature.name(name)), feature)
            }
            Feature::Resource | Feature::Template => {
                let (scheme, theirs) = shown.split_once('+')?;
                let module = scheme.replace('.', "_");
                let exact = of_kind(&format!("{module}.{}", feature.name(theirs)), feature);
                if exact.is_some() || feature == Feature::Template {
                    return exact;
                }
                let first = format!("{module}.{}", Feature::Template.name(""));
                let templates =
                    self.tools.range::<str, _>((Bound::Included(first.as_str()), Bound::Unbounded));
                let mut templates = templates.take_while(|(name, _)| name.starts_with(&first));
                templates
                    .find(|(_, shelved)| template::fits(&shelved.tool.name, theirs))
                    .map(|(_, shelved)| &shelved.tool)
            }
        }
    }

    /// One tool of each kind.
    pub(crate) fn samples(&self) -> &[EntityUid] {
        &self.samples
    }

    /// What people call a module.
    pub(crate) fn title_of(&self, module: ModuleId) -> Option<&str> {
        self.modules.get(&module).map(|module| module.fact.title.as_str())
    }

    /// A tool's module.
    pub(crate) fn module_of(&self, tool: &Tool) -> Option<&Module> {
        self.modules.get(&tool.module)
    }
}

fn tool(
    fact: ToolFact,
    module: &Module,
    origin: Origin,
    gathering: &mut Gathering,
) -> Result<Tool, BuildError> {
    let full_name: Arc<str> = format!("{}.{}", module.fact.name, fact.name).into();
    let (feature, theirs) = Feature::of(&fact.name);
    let shown: Arc<str> = match feature {
        Feature::Tool => Arc::clone(&full_name),
        _ => feature.shown(&module.fact.name, theirs).into(),
    };
    // What cannot be shown to agents cannot be what was approved: frozen, like anything else that is not.
    let (listing, standing) = match listing(&fact.definition, feature, &shown) {
        Some(listing) => (listing, fact.standing),
        None => (full_name.to_string(), ToolStanding::Drifted),
    };
    let name = theirs.into();
    // A key's first part is always a key; were it not, the key itself is the narrowest reading.
    let module_key: PermissionKey = fact.key.module().parse().unwrap_or_else(|_| fact.key.clone());
    let uid = gathering.tool(fact.id, module, (&fact.key, &module_key), standing)?;
    let owner = module.owner.as_ref().filter(|owner| owner.standing == Standing::Active);
    Ok(Tool {
        id: fact.id,
        module: fact.module,
        module_name: module.fact.name.as_str().into(),
        module_title: module.fact.title.as_str().into(),
        owner: owner.map(|owner| shown_name(&owner.name).into()),
        kind: module.fact.kind,
        url: module.fact.url.as_deref().map(Arc::from),
        connection: module.fact.connection,
        feature,
        name,
        full_name,
        shown,
        key: fact.key,
        listing: listing.into(),
        definition_hash: fact.definition_hash,
        price: fact.price,
        rate: fact.rate,
        timeouts: fact.timeouts,
        origin,
        standing,
        module_key,
        uid,
    })
}

/// The definition with `name`, `uri` or `uriTemplate` replaced by what agents see; every other member byte for byte. None if
/// it is no object.
pub(crate) fn listing(definition: &str, feature: Feature, shown: &str) -> Option<String> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(definition).ok()?;
    let member = match feature {
        Feature::Tool | Feature::Prompt => "name",
        Feature::Resource => "uri",
        Feature::Template => "uriTemplate",
    };
    members.insert(member.to_owned(), serde_json::value::to_raw_value(shown).ok()?);
    serde_json::to_string(&members).ok()
}

impl Directory {
    /// The tools that the principal may see, ordered by full name (Cedar action `list`): those that the agent
    /// may, and that the person may for whom it acts.
    ///
    /// Cedar is asked once for each kind of tool, and once only for each principal of a directory.
    pub fn visible(&self, principal: &Principal) -> Vec<Arc<Tool>> {
        if principal.origin != self.origin {
            return Vec::new();
        }
        let person = principal.person.as_ref().map(|person| person.id);
        match self.lists.get(&(principal.agent.id, person)) {
            Some(list) => list.get_or_init(|| self.list(principal)).clone(),
            None => self.list(principal),
        }
    }

    fn list(&self, principal: &Principal) -> Vec<Arc<Tool>> {
        let on_behalf = principal.person.is_some();
        let may = |who: &EntityUid, sample| {
            self.rules.ask(&self.entities, who, Action::List, sample, on_behalf).allowed
        };
        let shown: Vec<bool> = self
            .catalog
            .samples
            .iter()
            .map(|sample| {
                may(&principal.agent.uid, sample)
                    && principal.person.as_ref().is_none_or(|person| may(&person.uid, sample))
            })
            .collect();
        let tools = self.catalog.tools.values();
        tools
            .filter(|shelved| shown.get(shelved.kind).copied().unwrap_or(false))
            .map(|shelved| Arc::clone(&shelved.tool))
            .collect()
    }

    /// What of one kind the principal may see, in the order of [`Directory::visible`].
    pub fn offered(&self, principal: &Principal, feature: Feature) -> Vec<Arc<Tool>> {
        let mut tools = self.visible(principal);
        tools.retain(|tool| tool.feature == feature);
        tools
    }

    /// What of one kind a bundle shows the principal: of what is in it, that which they may see, in the same order.
    pub fn offered_in(&self, bundle: &str, principal: &Principal, feature: Feature) -> Vec<Arc<Tool>> {
        let Some(bundle) = self.bundles.get(bundle) else { return Vec::new() };
        let visible: HashSet<ToolId> = self.visible(principal).iter().map(|tool| tool.id).collect();
        let mut tools: Vec<_> =
            bundle.of(feature).filter(|tool| visible.contains(&tool.id)).cloned().collect();
        tools.sort_by(|one, other| one.full_name.cmp(&other.full_name));
        tools
    }

    /// Resolves a tool by the name agents use. A tool that the principal may not call resolves all the same:
    /// [`decide`] then says which key is missing and whom to ask. Of [`Feature::Resource`], `shown` is a URI, which a template
    /// may stand for as well.
    ///
    /// # Errors
    /// A refusal when there is no tool of that name (suggesting such as the principal may see), when the tool
    /// has drifted, and when it or its module takes no calls.
    ///
    /// [`decide`]: Directory::decide
    #[expect(clippy::result_large_err, reason = "a refusal is read at once and goes no further up")]
    pub fn resolve(
        &self,
        principal: &Principal,
        feature: Feature,
        shown: &str,
    ) -> Result<Arc<Tool>, Refusal> {
        let found = self.catalog.find(feature, shown);
        self.resolved(principal, feature, shown, found, || self.offered(principal, feature))
    }

    /// Resolves a tool by its name in a bundle.
    ///
    /// # Errors
    /// As [`Directory::resolve`]. What is not in the bundle is not there.
    #[expect(clippy::result_large_err, reason = "a refusal is read at once and goes no further up")]
    pub fn resolve_in(
        &self,
        bundle: &str,
        principal: &Principal,
        feature: Feature,
        shown: &str,
    ) -> Result<Arc<Tool>, Refusal> {
        let found = self.bundles.get(bundle).and_then(|bundle| bundle.find(feature, shown));
        self.resolved(principal, feature, shown, found, || self.offered_in(bundle, principal, feature))
    }

    #[expect(clippy::result_large_err, reason = "a refusal is read at once and goes no further up")]
    fn resolved(
        &self,
        principal: &Principal,
        feature: Feature,
        shown: &str,
        found: Option<&Arc<Tool>>,
        offered: impl FnOnce() -> Vec<Arc<Tool>>,
    ) -> Result<Arc<Tool>, Refusal> {
        if principal.origin != self.origin {
            return Err(self.refusal(self.foreign(), &[]));
        }
        let Some(tool) = found else {
            let near = near(offered, shown);
            return Err(self.refusal(self.unknown_tool(principal, feature, shown, &near), &[]));
        };
        let module_live =
            self.catalog.module_of(tool).is_some_and(|module| module.fact.standing == ModuleStanding::Live);
        if tool.standing == ToolStanding::Approved && module_live {
            return Ok(Arc::clone(tool));
        }
        let on_behalf = principal.person.is_some();
        let answer = self.rules.ask(&self.entities, &principal.agent.uid, Action::Call, &tool.uid, on_behalf);
        Err(self.refusal(self.unavailable(tool), &answer.determining))
    }
}

/// Names of offered tools that resemble one that is not there, the nearest first.
fn near(offered: impl FnOnce() -> Vec<Arc<Tool>>, wanted: &str) -> Vec<Arc<str>> {
    if wanted.is_empty() || wanted.len() > LONGEST_COMPARED {
        return Vec::new();
    }
    let wanted = folded(wanted);
    let mut near: Vec<(usize, Arc<str>)> = offered()
        .iter()
        .filter_map(|tool| Some((distance(&wanted, tool)?, Arc::clone(&tool.shown))))
        .collect();
    near.sort();
    // Beside a name that was clearly meant, one that merely resembles it would mislead.
    let nearest = near.first().map_or(0, |(distance, _)| *distance);
    near.retain(|(distance, _)| *distance <= nearest + 1);
    near.truncate(SUGGESTED);
    near.into_iter().map(|(_, name)| name).collect()
}

/// How far a tool's name is from what was wanted; none: too far to be meant. A forgotten module and a name
/// cut short are near, and so is what differs in a quarter of its characters or less.
fn distance(wanted: &str, tool: &Tool) -> Option<usize> {
    let (full, own) = (folded(&tool.shown), folded(&tool.name));
    if full == wanted {
        return Some(0);
    }
    if own == wanted || (wanted.len() >= 3 && full.starts_with(wanted)) {
        return Some(1);
    }
    let allowed = (wanted.len() / 4).max(1);
    if full.len() > LONGEST_COMPARED || full.len().abs_diff(wanted.len()) > allowed {
        return None;
    }
    Some(strsim::osa_distance(wanted, &full)).filter(|distance| *distance <= allowed)
}

/// A name without what people mix up: case, and what stands between words.
fn folded(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_has_the_full_name_and_every_other_byte_of_the_definition() {
        let definition = r#"{"name":"send","inputSchema":{"b":1.0,"a":12345678901234567890123},"_x":[ 1 ]}"#;
        assert_eq!(
            listing(definition, Feature::Tool, "gmail.send").unwrap(),
            r#"{"_x":[ 1 ],"inputSchema":{"b":1.0,"a":12345678901234567890123},"name":"gmail.send"}"#
        );
        let resource = r#"{"uri":"file:///a","name":"a"}"#;
        assert_eq!(
            listing(resource, Feature::Resource, "notes+file:///a").unwrap(),
            r#"{"name":"a","uri":"notes+file:///a"}"#
        );
        assert_eq!(listing("[1]", Feature::Tool, "x.y"), None);
        assert_eq!(listing("{\"name\":", Feature::Tool, "x.y"), None);
    }
}
