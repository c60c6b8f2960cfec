//! The same request in several languages.

use super::bytes::Bytes;
use super::json::{Json, object};

/// A request to write samples of.
pub(super) struct Sample<'a> {
    pub(super) verb: &'a str,
    /// Path and query, with values.
    pub(super) target: String,
    /// Beyond those of the credentials and of the body.
    pub(super) headers: Vec<(String, String)>,
    /// Whether it needs the token, and the API key.
    pub(super) credentials: (bool, bool),
    pub(super) body: Option<&'a Json>,
    pub(super) streams: bool,
    /// What it does with bytes.
    pub(super) bytes: Option<Bytes>,
}

impl Sample<'_> {
    /// For `x-codeSamples`.
    pub(super) fn all(&self) -> Json {
        let sample = |lang: &str, label: &str, source: String| {
            object([("lang", lang.into()), ("label", label.into()), ("source", source.into())])
        };
        Json::Array(vec![
            sample("Shell", "curl", self.curl()),
            sample("Python", "Python", self.python()),
            sample("TypeScript", "TypeScript", self.typescript()),
            sample("Go", "Go", self.go()),
        ])
    }

    fn body_text(&self) -> Option<String> {
        self.body.map(|body| body.pretty().trim_end().to_owned())
    }

    /// Headers whose values are the names of variables with a mark around them, or texts.
    fn header_list(&self, token: &str, api_key: &str) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        if self.credentials.0 {
            headers.push(("Authorization".to_owned(), token.to_owned()));
        }
        if self.credentials.1 {
            headers.push(("x-api-key".to_owned(), api_key.to_owned()));
        }
        headers
    }

    fn curl(&self) -> String {
        let mut text = format!(
            "curl {}-X {} \"$KIRA_URL{}\"",
            if self.streams && self.bytes.is_none() { "-N " } else { "" },
            self.verb,
            self.target
        );
        let mut header = |name: &str, value: &str| text.push_str(&format!(" \\\n  -H \"{name}: {value}\""));
        for (name, value) in self.header_list("Bearer $KIRA_TOKEN", "$KIRA_API_KEY") {
            header(&name, &value);
        }
        for (name, value) in &self.headers {
            header(name, &value.replace('\\', "\\\\").replace('"', "\\\""));
        }
        if let Some(body) = self.body_text() {
            header("Content-Type", "application/json");
            text.push_str(&format!(" \\\n  -d '{}'", body.replace('\'', "'\\''")));
        }
        match &self.bytes {
            None => {}
            Some(Bytes::Form(texts, file)) => {
                texts.iter().for_each(|(name, value)| text.push_str(&format!(" \\\n  -F {name}={value}")));
                text.push_str(&format!(" \\\n  -F {file}=@scan.jpg"));
            }
            Some(Bytes::Body(media_type)) => {
                text.push_str(&format!(" \\\n  -H \"Content-Type: {media_type}\" \\\n  --data-binary @scan.jpg"));
            }
            Some(Bytes::Answer) => text.push_str(" \\\n  -OJ"),
        }
        text
    }

    fn python(&self) -> String {
        let mut text = "import os, requests\n\n".to_owned();
        if let Some(body) = self.body {
            text.push_str("body = ");
            python_literal(body, 0, &mut text);
            text.push('\n');
        }
        text.push_str(&format!(
            "response = requests.request(\n    {}, os.environ[\"KIRA_URL\"] + {},\n",
            quoted(self.verb),
            quoted(&self.target)
        ));
        text.push_str("    headers={\n");
        for (name, value) in self.header_list("f\"Bearer {os.environ['KIRA_TOKEN']}\"", "os.environ[\"KIRA_API_KEY\"]")
        {
            text.push_str(&format!("        {}: {value},\n", quoted(&name)));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("        {}: {},\n", quoted(name), quoted(value)));
        }
        if let Some(Bytes::Body(media_type)) = &self.bytes {
            text.push_str(&format!("        \"Content-Type\": {},\n", quoted(media_type)));
        }
        text.push_str("    },\n");
        if self.body.is_some() {
            text.push_str("    json=body,\n");
        }
        match &self.bytes {
            Some(Bytes::Form(texts, file)) => {
                let texts = texts.iter().map(|(name, value)| format!("({}, (None, {}))", quoted(name), quoted(value)));
                let texts: String = texts.map(|text| format!("{text}, ")).collect();
                let file = quoted(file);
                text.push_str(&format!(
                    "    files=[{texts}({file}, (\"scan.jpg\", open(\"scan.jpg\", \"rb\"), \"image/jpeg\"))],\n"
                ));
            }
            Some(Bytes::Body(_)) => text.push_str("    data=open(\"scan.jpg\", \"rb\"),\n"),
            Some(Bytes::Answer) | None => {}
        }
        if let Some(Bytes::Answer) = self.bytes {
            text.push_str(
                "    stream=True,\n)\nresponse.raise_for_status()\nwith open(\"scan.jpg\", \"wb\") as file:\n    \
                 file.writelines(response.iter_content(65536))",
            );
        } else if self.streams {
            text.push_str(
                "    stream=True,\n)\nresponse.raise_for_status()\nfor line in response.iter_lines():\n    print(line)",
            );
        } else {
            text.push_str("    timeout=40,\n)\nresponse.raise_for_status()\nprint(response.json())");
        }
        text
    }

    fn typescript(&self) -> String {
        let file = "await openAsBlob(\"scan.jpg\", { type: \"image/jpeg\" })";
        let form = match &self.bytes {
            Some(Bytes::Form(texts, name)) => {
                let texts =
                    texts.iter().map(|(name, value)| format!("form.append({}, {});\n", quoted(name), quoted(value)));
                let file = format!("form.append({}, {file}, \"scan.jpg\");\n", quoted(name));
                format!("const form = new FormData();\n{}{file}", texts.collect::<String>())
            }
            _ => String::new(),
        };
        let mut text = format!(
            "{form}const response = await fetch(process.env.KIRA_URL + {}, {{\n  method: {},\n  headers: {{\n",
            quoted(&self.target),
            quoted(self.verb)
        );
        for (name, value) in self.header_list("`Bearer ${process.env.KIRA_TOKEN}`", "process.env.KIRA_API_KEY!") {
            text.push_str(&format!("    {}: {value},\n", quoted(&name)));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("    {}: {},\n", quoted(name), quoted(value)));
        }
        if self.body.is_some() {
            text.push_str("    \"Content-Type\": \"application/json\",\n");
        }
        text.push_str("  },\n");
        match &self.bytes {
            Some(Bytes::Form(..)) => text.push_str("  body: form,\n"),
            Some(Bytes::Body(_)) => text.push_str(&format!("  body: {file},\n")),
            Some(Bytes::Answer) | None => {}
        }
        if let Some(body) = self.body_text() {
            text.push_str(&format!("  body: JSON.stringify({}),\n", body.replace('\n', "\n  ")));
        }
        text.push_str("});\nif (!response.ok) throw new Error(await response.text());\n");
        text.push_str(match self.streams {
            true if self.bytes.is_some() => "await writeFile(\"scan.jpg\", response.body!);",
            true => {
                "for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) console.log(chunk);"
            }
            false => "console.log(await response.json());",
        });
        text
    }

    fn go(&self) -> String {
        let body = self.body_text().map_or_else(
            || "nil".to_owned(),
            |body| format!("strings.NewReader(`{}`)", body.replace('`', "` + \"`\" + `")),
        );
        let (before, body, media_type) = match &self.bytes {
            Some(Bytes::Form(texts, name)) => {
                let texts =
                    texts.iter().map(|(name, value)| format!("form.WriteField({}, {})\n", quoted(name), quoted(value)));
                let part = "textproto.MIMEHeader{\"Content-Type\": {\"image/jpeg\"},\n\t\"Content-Disposition\": \
                            {`form-data; name=\"NAME\"; filename=\"scan.jpg\"`}}";
                let before = format!(
                    "scan, err := os.ReadFile(\"scan.jpg\")\nif err != nil {{\n\tlog.Fatal(err)\n}}\nvar body bytes.Buffer\n\
                     form := multipart.NewWriter(&body)\n{}part, _ := form.CreatePart({})\npart.Write(scan)\nform.Close()\n",
                    texts.collect::<String>(),
                    part.replace("NAME", name)
                );
                (before, "&body".to_owned(), Some("form.FormDataContentType()".to_owned()))
            }
            Some(Bytes::Body(media_type)) => {
                let before = "scan, err := os.Open(\"scan.jpg\")\nif err != nil {\n\tlog.Fatal(err)\n}\n";
                (before.to_owned(), "scan".to_owned(), Some(quoted(media_type)))
            }
            Some(Bytes::Answer) | None => {
                let media_type = self.body.map(|_| "\"application/json\"".to_owned());
                (String::new(), body, media_type)
            }
        };
        let mut text = format!(
            "{before}request, err := http.NewRequest({}, os.Getenv(\"KIRA_URL\")+{}, {body})\nif err != nil {{\n\tlog.Fatal(err)\n}}\n",
            quoted(self.verb),
            quoted(&self.target)
        );
        for (name, value) in self.header_list("\"Bearer \"+os.Getenv(\"KIRA_TOKEN\")", "os.Getenv(\"KIRA_API_KEY\")") {
            text.push_str(&format!("request.Header.Set({}, {value})\n", quoted(&name)));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("request.Header.Set({}, {})\n", quoted(name), quoted(value)));
        }
        if let Some(media_type) = media_type {
            text.push_str(&format!("request.Header.Set(\"Content-Type\", {media_type})\n"));
        }
        text.push_str("response, err := http.DefaultClient.Do(request)\nif err != nil {\n\tlog.Fatal(err)\n}\ndefer response.Body.Close()\nio.Copy(os.Stdout, response.Body)");
        text
    }
}

/// A string literal of Python, TypeScript and Go.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// JSON as Python writes it.
fn python_literal(value: &Json, depth: usize, out: &mut String) {
    let indent = |out: &mut String, depth: usize| out.extend(std::iter::repeat_n("    ", depth));
    match value {
        Json::Null => out.push_str("None"),
        Json::Bool(true) => out.push_str("True"),
        Json::Bool(false) => out.push_str("False"),
        Json::Number(number) => out.push_str(&number.to_string()),
        Json::String(text) => out.push_str(&quoted(text)),
        Json::Array(items) if items.is_empty() => out.push_str("[]"),
        Json::Array(items) => {
            out.push_str("[\n");
            for item in items {
                indent(out, depth + 1);
                python_literal(item, depth + 1, out);
                out.push_str(",\n");
            }
            indent(out, depth);
            out.push(']');
        }
        Json::Object(members) if members.0.is_empty() => out.push_str("{}"),
        Json::Object(members) => {
            out.push_str("{\n");
            for (key, value) in &members.0 {
                indent(out, depth + 1);
                out.push_str(&quoted(key));
                out.push_str(": ");
                python_literal(value, depth + 1, out);
                out.push_str(",\n");
            }
            indent(out, depth);
            out.push('}');
        }
    }
}
