using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

namespace Microsoft.ML
{
    public static class CustomMappingCatalog
    {
        public static CustomMappingEstimator<TSrc, TDst> CustomMapping<TSrc, TDst>(this TransformsCatalog catalog, Action<TSrc, TDst> mapAction,
            string contractName, SchemaDefinition inputSchemaDefinition = null, SchemaDefinition outputSchemaDefinition = null)
            where TSrc : class, new()
            where TDst : class, new() =>
            new(catalog.GetEnvironment(), mapAction, contractName, inputSchemaDefinition, outputSchemaDefinition);
    }
}

namespace Microsoft.ML.Transforms
{
    public sealed class CustomMappingEstimator<TSrc, TDst> : TrivialEstimator<CustomMappingTransformer<TSrc, TDst>>
        where TSrc : class, new()
        where TDst : class, new()
    {
        internal CustomMappingEstimator(IHostEnvironment env, Action<TSrc, TDst> mapAction, string contractName, SchemaDefinition inputSchemaDefinition,
            SchemaDefinition outputSchemaDefinition)
            : base(env.Register(nameof(CustomMappingEstimator<,>)),
                new CustomMappingTransformer<TSrc, TDst>(env, mapAction, contractName, inputSchemaDefinition, outputSchemaDefinition))
        {
        }

        public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            Dictionary<string, SchemaShape.Column> result = inputSchema.ToDictionary(c => c.Name);
            foreach (MemberColumn member in MemberColumn.Create(typeof(TSrc), Transformer.InputSchemaDefinition ?? SchemaDefinition.Create(typeof(TSrc))))
            {
                if (!result.TryGetValue(member.Name, out SchemaShape.Column column))
                    throw Host.ExceptSchemaMismatch(nameof(inputSchema), "input", member.Name);
                SchemaShape.GetColumnTypeShape(member.Type, out SchemaShape.Column.VectorKind kind, out DataViewType itemType, out bool isKey);
                // A vector of any length also takes one of a known length.
                bool fits = kind == SchemaShape.Column.VectorKind.VariableVector ? column.Kind != SchemaShape.Column.VectorKind.Scalar : column.Kind == kind;
                if (!fits || itemType != column.ItemType || isKey != column.IsKey)
                    throw Host.ExceptSchemaMismatch(nameof(inputSchema), "input", member.Name, member.Type.ToString(), column.GetTypeString());
            }
            foreach (SchemaShape.Column added in SchemaShape.Create(Transformer.Added.Schema))
                result[added.Name] = added;
            return new SchemaShape(result.Values);
        }
    }
}
