//! What a client is told of what there is: `information_schema` and `pg_catalog` over the views, and nothing else.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider as _, MemTable, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use datafusion_postgres::arrow_pg::datatypes::into_pg_type;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::generate_series_arg_coercion::CoerceIntArgsToBigInt;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::{
    self as pg, PgCatalogSchemaProvider, PgCatalogStaticTables, array_bounds_udf, format_type, has_privilege_udf,
    pg_get_expr_udf, quote_ident_udf,
};
use pgwire::api::Type;

use crate::kpi::{self, KPIS};
use crate::text;

pub const DATABASE: &str = "medfleet";
pub const SCHEMA: &str = "public";

/// Names and columns of the views.
#[derive(Debug, Clone)]
struct Exposed(Arc<Vec<(String, SchemaRef)>>);

#[async_trait]
impl CatalogInfo for Exposed {
    async fn catalog_names(&self) -> Result<Vec<String>, DataFusionError> {
        Ok(vec![DATABASE.to_owned()])
    }

    async fn schema_names(&self, catalog: &str) -> Result<Option<Vec<String>>, DataFusionError> {
        let names = || ["information_schema", "pg_catalog", SCHEMA].map(str::to_owned).to_vec();
        Ok((catalog == DATABASE).then(names))
    }

    async fn table_names(&self, _: &str, schema: &str) -> Result<Option<Vec<String>>, DataFusionError> {
        let public = self.0.iter().filter(|_| schema == SCHEMA);
        Ok(Some(public.map(|(name, _)| name.clone()).collect()))
    }

    async fn table_schema(&self, _: &str, _: &str, table: &str) -> Result<Option<SchemaRef>, DataFusionError> {
        Ok(self.0.iter().find(|(name, _)| name == table).map(|(_, schema)| Arc::clone(schema)))
    }

    async fn table_type(&self, _: &str, _: &str, _: &str) -> Result<Option<TableType>, DataFusionError> {
        Ok(Some(TableType::View))
    }
}

/// What is said of the views, made once: identifiers of PostgreSQL's kind stay the same while the process lives.
#[derive(Debug)]
pub struct Catalog {
    pg_catalog: Arc<dyn SchemaProvider>,
    information_schema: Arc<dyn SchemaProvider>,
    about: Arc<dyn TableProvider>,
    statics: Arc<PgCatalogStaticTables>,
}

impl Catalog {
    pub fn new(views: Vec<(String, SchemaRef)>) -> Result<Self> {
        let mut views = views;
        let about = about()?;
        views.push(("about".to_owned(), about.schema()));
        views.sort_by(|(a, _), (b, _)| a.cmp(b));
        let statics = Arc::new(PgCatalogStaticTables::try_new()?);
        let information_schema = Arc::new(information_schema(&views)?);
        let exposed = Exposed(Arc::new(views));
        let pg_catalog = PgCatalogSchemaProvider::try_new(exposed, Arc::clone(&statics), EmptyContextProvider)?;
        Ok(Self { pg_catalog: Arc::new(pg_catalog), information_schema, about, statics })
    }

    /// Puts the views into a session as the only database there is.
    pub fn furnish<'a>(
        &self,
        session: &SessionContext,
        views: impl Iterator<Item = (&'a str, Arc<dyn TableProvider>)>,
    ) -> Result<()> {
        let public = MemorySchemaProvider::new();
        for (name, view) in views {
            public.register_table(name.to_owned(), view)?;
        }
        public.register_table("about".to_owned(), Arc::clone(&self.about))?;
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(public))?;
        catalog.register_schema("information_schema", Arc::clone(&self.information_schema))?;
        catalog.register_schema("pg_catalog", Arc::clone(&self.pg_catalog))?;
        session.register_catalog(DATABASE, Arc::new(catalog));
        self.functions(session);
        Ok(())
    }

    /// The functions that PostgreSQL's clients call in their questions about the catalogue.
    fn functions(&self, session: &SessionContext) {
        let functions = [
            pg::create_current_database_udf(DATABASE),
            pg::create_current_schema_udf(),
            pg::create_current_schemas_udf(),
            pg::create_pg_get_userbyid_udf(),
            has_privilege_udf::create_has_privilege_udf("has_table_privilege"),
            has_privilege_udf::create_has_privilege_udf("has_schema_privilege"),
            has_privilege_udf::create_has_privilege_udf("has_database_privilege"),
            has_privilege_udf::create_has_privilege_udf("has_any_column_privilege"),
            pg::create_pg_table_is_visible(),
            format_type::create_format_type_udf(),
            pg_get_expr_udf::create_pg_get_expr_udf(),
            pg::create_pg_get_partkeydef_udf(),
            pg::create_pg_relation_is_publishable_udf(),
            pg::create_pg_get_statisticsobjdef_columns_udf(),
            pg::create_pg_encoding_to_char_udf(),
            pg::create_pg_backend_pid_udf(),
            pg::create_pg_relation_size_udf(),
            pg::create_pg_total_relation_size_udf(),
            pg::create_pg_stat_get_numscans(),
            pg::create_pg_get_constraintdef(),
            pg::create_pg_get_partition_ancestors_udf(),
            quote_ident_udf::create_quote_ident_udf(),
            quote_ident_udf::create_parse_ident_udf(),
            array_bounds_udf::create_array_upper_udf(),
            array_bounds_udf::create_array_lower_udf(),
        ];
        for function in functions {
            session.register_udf(function);
        }
        let keywords = Arc::clone(&self.statics.pg_get_keywords);
        session.register_udtf("pg_get_keywords", keywords);
        let state = session.state_ref();
        let planner = Arc::new(PgOidTypePlanner);
        let with_oids = SessionStateBuilder::new_from_existing(state.read().clone()).with_type_planner(planner).build();
        *state.write() = with_oids;
        CoerceIntArgsToBigInt::widen(session);
    }
}

/// What each view and function is, as its own file says it.
fn about() -> Result<Arc<dyn TableProvider>> {
    let views =
        text::VIEWS.iter().map(|(name, sql)| ((*name).to_owned(), format!("SELECT * FROM {name}"), text::meaning(sql)));
    let functions = KPIS
        .iter()
        .map(|kpi| (kpi.name.to_owned(), kpi::usage(kpi).replace("call it as ", "SELECT * FROM "), kpi.one_row()));
    let rows: Vec<(String, String, String)> = views.chain(functions).collect();
    table(&[
        ("name", texts(rows.iter().map(|row| row.0.as_str()))),
        ("usage", texts(rows.iter().map(|row| row.1.as_str()))),
        ("one_row", texts(rows.iter().map(|row| row.2.as_str()))),
    ])
}

fn information_schema(views: &[(String, SchemaRef)]) -> Result<MemorySchemaProvider> {
    let same = |text: &'static str, count: usize| texts(std::iter::repeat_n(text, count));
    let schemas = ["information_schema", "pg_catalog", SCHEMA];
    let provider = MemorySchemaProvider::new();
    let schemata = table(&[
        ("catalog_name", same(DATABASE, schemas.len())),
        ("schema_name", texts(schemas.into_iter())),
        ("schema_owner", same(DATABASE, schemas.len())),
    ])?;
    provider.register_table("schemata".to_owned(), schemata)?;
    let names = || texts(views.iter().map(|(name, _)| name.as_str()));
    let tables = table(&[
        ("table_catalog", same(DATABASE, views.len())),
        ("table_schema", same(SCHEMA, views.len())),
        ("table_name", names()),
        ("table_type", same("VIEW", views.len())),
        ("is_insertable_into", same("NO", views.len())),
    ])?;
    provider.register_table("tables".to_owned(), tables)?;
    let listed = table(&[
        ("table_catalog", same(DATABASE, views.len())),
        ("table_schema", same(SCHEMA, views.len())),
        ("table_name", names()),
        ("is_updatable", same("NO", views.len())),
    ])?;
    provider.register_table("views".to_owned(), listed)?;
    provider.register_table("columns".to_owned(), columns(views)?)?;
    Ok(provider)
}

fn columns(views: &[(String, SchemaRef)]) -> Result<Arc<dyn TableProvider>> {
    let columns = || {
        views.iter().flat_map(|(name, schema)| {
            schema.fields().iter().enumerate().map(move |(place, field)| (name.as_str(), place, field))
        })
    };
    let count = columns().count();
    let same = |text: &'static str| texts(std::iter::repeat_n(text, count));
    let place = |(_, place, _): (&str, usize, &Arc<Field>)| i32::try_from(place + 1).unwrap_or(i32::MAX);
    table(&[
        ("table_catalog", same(DATABASE)),
        ("table_schema", same(SCHEMA)),
        ("table_name", texts(columns().map(|(table, ..)| table))),
        ("column_name", texts(columns().map(|(_, _, field)| field.name().as_str()))),
        ("ordinal_position", Arc::new(Int32Array::from(columns().map(place).collect::<Vec<_>>()))),
        ("is_nullable", texts(columns().map(|(_, _, field)| if field.is_nullable() { "YES" } else { "NO" }))),
        ("data_type", texts(columns().map(|(_, _, field)| type_name(field.data_type())))),
        ("udt_name", texts(columns().map(|(_, _, field)| udt_name(field.data_type())))),
    ])
}

/// The type as SQL writes it.
fn type_name(data_type: &DataType) -> &'static str {
    match into_pg_type(data_type) {
        Ok(Type::BOOL) => "boolean",
        Ok(Type::INT2) => "smallint",
        Ok(Type::INT4) => "integer",
        Ok(Type::INT8) => "bigint",
        Ok(Type::FLOAT4) => "real",
        Ok(Type::FLOAT8) => "double precision",
        Ok(Type::NUMERIC) => "numeric",
        Ok(Type::DATE) => "date",
        Ok(Type::TIMESTAMP) => "timestamp without time zone",
        Ok(Type::TIMESTAMPTZ) => "timestamp with time zone",
        _ => "text",
    }
}

fn udt_name(data_type: &DataType) -> &'static str {
    match type_name(data_type) {
        "boolean" => "bool",
        "smallint" => "int2",
        "integer" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" => "float8",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        other => other,
    }
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from(values.collect::<Vec<_>>()))
}

fn table(columns: &[(&str, ArrayRef)]) -> Result<Arc<dyn TableProvider>> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let values = columns.iter().map(|(_, values)| Arc::clone(values)).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), values)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}
