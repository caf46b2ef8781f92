// Who triggers: Prefect keeps these two headers of a request as `created_by` of the flow run that it makes.
// The id says that the name comes from our login, and not from an automation of Prefect.

function name(r) {
    return Buffer.from(r.variables.login || "inconnu", "utf8").toString("base64");
}

// The part of Prefect's settings that its UI reads: no analytics, no advertising.
function settings(r) {
    r.headersOut["Content-Type"] = "application/json";
    r.return(200, JSON.stringify({
        server: { analytics_enabled: false, ui: { show_promotional_content: false } },
        cloud: { api_url: "", ui_url: "" },
    }));
}

// The list of blocks, as the UI asks for it at some pages: for people there are none.
function none(r) {
    r.headersOut["Content-Type"] = "application/json";
    r.return(200, "[]");
}

// Where to come back to after the login.
function here(r) {
    return encodeURIComponent(r.variables.request_uri);
}

export default { here, name, none, settings };
