//! `remuda model`: list, fetch, add and remove models.

use anyhow::Result;
use remuda_models::ModelStore;
use serde_json::json;

use crate::catalog;
use crate::cli::ModelCommand;
use crate::home::Home;
use crate::output::Output;

/// Runs a model command.
pub(crate) async fn run(home: &Home, command: ModelCommand, output: Output) -> Result<()> {
    match command {
        ModelCommand::Ls => list(home, output),
        ModelCommand::Pull { name } | ModelCommand::Path { name } => {
            let (manifest, path) = catalog::ensure(home, &name, output).await?;
            let value = json!({ "name": name, "manifest": manifest.hash(), "path": path });
            output.result(&value, || path.display().to_string());
            Ok(())
        }
        ModelCommand::Add { file, name, licence } => {
            let manifest = ModelStore::open(home.models())?.add(&file, &name, &licence)?;
            output.result(&manifest, || format!("{} is here: manifest {}", name, manifest.hash()));
            Ok(())
        }
        ModelCommand::Rm { name } => {
            let store = ModelStore::open(home.models())?;
            let manifest = catalog::find(&store, &name)?;
            store.remove(&manifest)?;
            output.result(&json!({ "removed": name }), || format!("{name} is removed"));
            Ok(())
        }
    }
}

fn list(home: &Home, output: Output) -> Result<()> {
    let store = ModelStore::open(home.models())?;
    let rows: Vec<_> = catalog::manifests(&store)?
        .into_iter()
        .map(|manifest| {
            let here = store.path(&manifest.hash()).is_ok();
            json!({
                "name": manifest.name,
                "manifest": manifest.hash(),
                "bytes": manifest.bytes,
                "context": manifest.context,
                "licence": manifest.licence,
                "here": here,
            })
        })
        .collect();
    output.result(&rows, || {
        let line = |row: &serde_json::Value| {
            format!(
                "{:<32} {:>12} bytes  {:<12} {}",
                row["name"].as_str().unwrap_or_default(),
                row["bytes"],
                row["licence"].as_str().unwrap_or_default(),
                if row["here"] == true { "here" } else { "not here" }
            )
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}
