// Calls a hub through the types that openapi-typescript makes of /openapi.json, and prints what came of it as JSON.
// That this compiles under "strict" is half of the test.
import createClient from "openapi-fetch";
import type { components, paths } from "./hub.js";

declare const process: { argv: string[] };

type Capability = components["schemas"]["Capability"];
type Problem = components["schemas"]["Problem"];

const [baseUrl = "", index = "", token = ""] = process.argv.slice(2);
const hub = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const stranger = createClient<paths>({ baseUrl });

function given<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

function slug(problem: Problem | undefined): string {
  return problem?.type.split("/").at(-1) ?? "no problem";
}

const wanted = { repo: "from-typescript", url: index, domain: "helix_forge" };
const registered = await hub.POST("/v1/repos", { body: wanted });
const again = await hub.POST("/v1/repos", { body: wanted });
const refreshed = given(await hub.POST("/v1/repos/{repo}/refresh", { params: { path: { repo: wanted.repo } } }));
const listed = given(await hub.GET("/v1/repos", { params: { query: { domain: "helix_forge", limit: 10 } } }));
const federated = given(await hub.GET("/v1/federated"));
const search = async () => given(await hub.GET("/v1/capabilities", { params: { query: { repo: wanted.repo } } }));
let found = await search();
while (found.total === 0) {
  found = await search();
}
const narrow = given(await hub.GET("/v1/capabilities", { params: { query: { repo: wanted.repo, fields: "owner" } } }));
const first: Capability | undefined = found.capabilities[0];
const shown = given(
  await hub.GET("/v1/capabilities/{repo}/{id}", { params: { path: { repo: wanted.repo, id: first?.id ?? "" } } }),
);
const changes = given(await hub.GET("/v1/federated/changes", { params: { query: { since: 0 } } }));
const verdict = given(await hub.POST("/v1/validate", { body: { version: 1, capabilities: [{ id: "a" }] } }));
const findings = given(await hub.GET("/v1/findings", { params: { query: { severity: "error" } } }));
const sent = await stranger.POST("/v1/repos", { body: wanted });
const missing = await hub.GET("/v1/repos/{repo}", { params: { path: { repo: "nobody" } } });
const invalid = await hub.POST("/v1/repos", { body: { ...wanted, repo: "Not A Slug" } });

console.log(
  JSON.stringify({
    registered: registered.response.status,
    again: slug(again.error),
    outcome: refreshed.outcome,
    state: refreshed.source.state,
    listed: listed.repos.map((one) => `${one.repo} ${one.source.capability_count}`),
    vectors: found.capabilities.map((one) => one.vector),
    tags: found.capabilities.flatMap((one) => one.tags ?? []),
    narrow: narrow.capabilities.map((one) => [one.id, one.name, one.source_repo, one.owner, one.vector ?? null]),
    served: shown.served,
    federated: federated.capabilities.filter((one) => one.source_repo === wanted.repo).map((one) => one.id),
    changed: changes.capabilities.upserted.map((one) => one.vector).length === federated.capabilities.length,
    pointers: verdict.errors.map((one) => one.pointer),
    findings: findings.findings.map((one) => one.kind),
    stranger: slug(sent.error),
    missing: slug(missing.error),
    offences: (invalid.error?.errors ?? []).map((one) => one.pointer),
  }),
);
