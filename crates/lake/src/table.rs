//! One generation of one table: creating it, loading it at a version, and checking that it is what this program writes.

use std::fmt;

use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake_core::kernel::transaction::CommitProperties;
use deltalake_core::kernel::{StructField, StructType};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::SaveMode;
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, TableProperty};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::LakeError;
use crate::schema::TableDef;
use crate::store::DurableFileSystem;

/// How long removed files and old commits stay readable: a cut opens by version for this long.
pub const CUT_READABLE_HOURS: u32 = 1;

/// What a table was made from. Another fold, upcaster or `.sql`, or another log, never appends to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Versions of everything that decides the rows, e.g. `fold 1, upcast 1`.
    pub rules: String,
    /// Id of the log whose offsets the causes and transactions mean.
    pub log: String,
}

/// A table's state that can be pinned: which folder and which version of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableVersion {
    pub generation: String,
    pub version: u64,
}

/// Handle on one generation of one table. Holds no snapshot; cheap to clone.
#[derive(Clone, Debug)]
pub struct Table {
    def: &'static TableDef,
    generation: String,
    folder: Path,
    log_store: LogStoreRef,
    durable: Option<DurableFileSystem>,
}

impl Table {
    pub(crate) fn new(
        def: &'static TableDef,
        generation: String,
        folder: Path,
        log_store: LogStoreRef,
        durable: Option<DurableFileSystem>,
    ) -> Self {
        Self { def, generation, folder, log_store, durable }
    }

    pub fn def(&self) -> &'static TableDef {
        self.def
    }

    pub fn generation(&self) -> &str {
        &self.generation
    }

    pub fn name(&self) -> &'static str {
        self.def.name
    }

    pub(crate) fn log_store(&self) -> &LogStoreRef {
        &self.log_store
    }

    /// Creates version 0 unless somebody has.
    pub(crate) fn create_if_absent<'a>(&'a self, origin: &'a Origin) -> BoxFuture<'a, Result<(), LakeError>> {
        self.create(origin).boxed()
    }

    async fn create(&self, origin: &Origin) -> Result<(), LakeError> {
        let fields: Result<Vec<StructField>, _> =
            self.def.schema.fields().iter().map(|field| field.as_ref().try_into_kernel()).collect();
        let fields = fields.map_err(LakeError::arrow("turn a schema into a Delta schema"))?;
        let created = CreateBuilder::new()
            .with_log_store(self.log_store.clone())
            .with_table_name(self.def.name)
            .with_comment(serde_json::json!(origin).to_string())
            .with_columns(fields)
            .with_partition_columns(self.def.partition_columns.iter().copied())
            .with_save_mode(SaveMode::ErrorIfExists)
            .with_configuration(self.properties())
            // With retries, the loser of two creators would define the table again in version 1.
            .with_commit_properties(quiet_commit().with_max_retries(0))
            .await;
        match created {
            Ok(_) => Ok(()),
            Err(_) if self.exists().await? => Ok(()),
            Err(source) => Err(LakeError::delta("create", self.def.name)(source)),
        }
    }

    async fn exists(&self) -> Result<bool, LakeError> {
        let entry = self.log_store.read_commit_entry(0).await;
        Ok(entry.map_err(LakeError::delta("look for", self.def.name))?.is_some())
    }

    /// Short retention, because tombstones and log entries decide how long a table takes to open.
    /// Checkpoints and log cleanup belong to upkeep, and the transaction retention is never set:
    /// an expired `txn` would let old offsets be written again.
    fn properties(&self) -> Vec<(&'static str, Option<String>)> {
        let hours = format!("interval {CUT_READABLE_HOURS} hours");
        vec![
            (TableProperty::LogRetentionDuration.as_ref(), Some(hours.clone())),
            (TableProperty::DeletedFileRetentionDuration.as_ref(), Some(hours)),
            (TableProperty::EnableExpiredLogCleanup.as_ref(), Some("false".into())),
            (TableProperty::DataSkippingStatsColumns.as_ref(), Some(self.def.stats_columns.join(","))),
        ]
    }

    /// Loads the newest version, after making sure that what is visible is also on disk.
    pub(crate) fn load_newest(&self) -> BoxFuture<'_, Result<DeltaTable, LakeError>> {
        let loaded = async move {
            self.settle().await?;
            let mut table = DeltaTable::new(self.log_store.clone());
            table.load().await.map_err(LakeError::delta("load", self.def.name))?;
            Ok(table)
        };
        loaded.boxed()
    }

    /// Loads exactly this version.
    pub(crate) fn load_version(&self, version: u64) -> BoxFuture<'_, Result<DeltaTable, LakeError>> {
        let loaded = async move {
            let mut table = DeltaTable::new(self.log_store.clone());
            let loaded = table.load_version(version).await;
            loaded.map_err(LakeError::delta("load a version of", self.def.name))?;
            Ok(table)
        };
        loaded.boxed()
    }

    /// The newest version there is.
    pub async fn newest_version(&self) -> Result<TableVersion, LakeError> {
        let table = self.load_newest().await?;
        let version = table.version().unwrap_or_default();
        Ok(TableVersion { generation: self.generation.clone(), version })
    }

    /// Syncs the folder of the commits, so that an entry somebody else put outlives power loss.
    pub(crate) async fn settle(&self) -> Result<(), LakeError> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let folder = self.folder.clone().join("_delta_log");
        durable.settle(&folder).await.map_err(LakeError::storage("sync", &folder))
    }

    /// Refuses its newest version where nothing may be appended to it. A rebuild mends another shape and other rules.
    pub async fn verify(&self, origin: &Origin) -> Result<(), LakeError> {
        let loaded = self.load_newest().await?;
        self.check(loaded.snapshot().map_err(LakeError::delta("verify", self.def.name))?, origin)
    }

    /// Refuses a table that another program made: bare commits skip the protocol check.
    pub(crate) fn check(&self, state: &DeltaTableState, origin: &Origin) -> Result<(), LakeError> {
        let table = self.def.name;
        let shape = |detail: String| LakeError::ShapeChanged { table: table.into(), detail };
        let found = state.metadata().description().unwrap_or("nothing");
        let found: Origin =
            serde_json::from_str(found).map_err(|e| shape(format!("its description {found:?} is no origin: {e}")))?;
        if found.log != origin.log {
            let (found, wanted) = (found.log, origin.log.clone());
            return Err(LakeError::ForeignLog { table: table.into(), found, wanted });
        }
        self.check_shape(state, &shape)?;
        if self.def.is_ruled && found.rules != origin.rules {
            let (found, wanted) = (found.rules, origin.rules.clone());
            return Err(LakeError::RulesChanged { table: table.into(), found, wanted });
        }
        Ok(())
    }

    fn check_shape(&self, state: &DeltaTableState, shape: &dyn Fn(String) -> LakeError) -> Result<(), LakeError> {
        let protocol = serde_json::json!(state.protocol());
        let wanted = serde_json::json!({ "minReaderVersion": 1, "minWriterVersion": 2 });
        if protocol != wanted {
            return Err(shape(format!("protocol {protocol}, wanted {wanted}")));
        }
        let partitions = state.metadata().partition_columns();
        if partitions.iter().ne(self.def.partition_columns.iter()) {
            let wanted = self.def.partition_columns;
            return Err(shape(format!("partitioned by {partitions:?}, wanted {wanted:?}")));
        }
        let converting = LakeError::arrow("turn a schema into a Delta schema");
        let wanted: StructType = self.def.schema.as_ref().try_into_kernel().map_err(converting)?;
        if *state.schema() != wanted {
            return Err(shape(first_difference(&state.schema(), &wanted)));
        }
        Ok(())
    }
}

fn first_difference(found: &StructType, wanted: &StructType) -> String {
    let missing = wanted.fields().find(|field| found.field(field.name()) != Some(field));
    let extra = found.fields().find(|field| wanted.field(field.name()).is_none());
    match (missing, extra) {
        (Some(field), _) => format!("column {} is missing or of another type", field.name()),
        (None, Some(field)) => format!("column {} is unknown", field.name()),
        (None, None) => "the columns are in another order".to_owned(),
    }
}

/// A commit without hooks: checkpoints and cleanup are upkeep's, since a hook that fails reports an
/// error after the commit has landed.
pub(crate) fn quiet_commit() -> CommitProperties {
    CommitProperties::default().with_create_checkpoint(false).with_cleanup_expired_logs(Some(false))
}

impl fmt::Display for TableVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.generation, self.version)
    }
}
