using System.IO.Compression;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

[TestClass]
public sealed class CoreModelTests
{
    private readonly MLContext _context = new(seed: 1);

    [TestMethod]
    public void A_model_of_an_outside_assembly_comes_back_from_the_archive()
    {
        TransformerChain<CoreScalerTransformer> model = Fit();
        byte[] saved = Save(model, Values(1).Schema);
        using (ZipArchive archive = new(new MemoryStream(saved)))
        {
            string[] names = [.. archive.Entries.Select(entry => entry.FullName.Replace('\\', '/'))];
            CollectionAssert.IsSubsetOf(new[] { "Schema", "TransformerChain/Model.key", "TransformerChain/Transform_000/Model.key",
                "TransformerChain/Transform_000/mean.bin" }, names);
        }

        MLContext other = new();
        CoreModelBridge.Register(other.ComponentCatalog, typeof(CoreScalerTransformer));
        ITransformer loaded = other.Model.Load(new MemoryStream(saved), out DataViewSchema schema);
        Assert.AreEqual("Value: Single", string.Join(", ", schema));
        Assert.AreEqual(2f, ((CoreScalerTransformer)((TransformerChain<ITransformer>)loaded).Single()).Mean);
        Assert.AreNotSame(_context, CoreScalerTransformer.Environments[^1]);
        CollectionAssert.AreEqual(new[] { 4f }, loaded.Transform(Values(8)).GetColumn<float>("Scaled").ToArray());
    }

    [TestMethod]
    public void A_model_alone_is_saved_as_itself_and_without_a_schema()
    {
        byte[] saved = Save(new CoreScalerTransformer(5), null);
        CoreModelBridge.Register(_context.ComponentCatalog, typeof(CoreScalerTransformer));
        ITransformer loaded = _context.Model.Load(new MemoryStream(saved), out DataViewSchema schema);
        Assert.AreEqual(5f, ((CoreScalerTransformer)loaded).Mean);
        Assert.IsNull(schema);
    }

    [TestMethod]
    public void A_loader_is_registered_once_per_context()
    {
        CoreModelBridge.Register(_context.ComponentCatalog, typeof(CoreScalerTransformer));
        Assert.ThrowsExactly<InvalidOperationException>(() => CoreModelBridge.Register(_context.ComponentCatalog, typeof(CoreScalerTransformer)));
    }

    [TestMethod]
    public void A_model_without_its_loader_is_not_loaded()
    {
        byte[] chain = Save(Fit(), Values(1).Schema);
        byte[] alone = Save(new CoreScalerTransformer(5), Values(1).Schema);
        var wrapped = Assert.ThrowsExactly<InvalidOperationException>(() => new MLContext().Model.Load(new MemoryStream(chain), out _));
        Assert.IsInstanceOfType<FormatException>(wrapped.GetBaseException());
        var bare = Assert.ThrowsExactly<FormatException>(() => new MLContext().Model.Load(new MemoryStream(alone), out _));
        Assert.AreEqual("Couldn't load model: 'TransformerChain'", bare.Message);
    }

    [TestMethod]
    public void A_loaders_own_exception_is_the_inner_one()
    {
        byte[] saved = Without(Save(new CoreScalerTransformer(5), Values(1).Schema), "mean.bin");
        CoreModelBridge.Register(_context.ComponentCatalog, typeof(CoreScalerTransformer));
        var exception = Assert.ThrowsExactly<TargetInvocationException>(() => _context.Model.Load(new MemoryStream(saved), out _));
        Assert.IsInstanceOfType<InvalidDataException>(exception.InnerException);
    }

    [TestMethod]
    public void What_is_no_archive_is_refused()
    {
        Assert.ThrowsExactly<FormatException>(() => _context.Model.Load(new MemoryStream([1, 2, 3]), out _));
        Assert.ThrowsExactly<FileNotFoundException>(() => _context.Model.Load("there-is-no-such-file.zip", out _));
        Assert.AreEqual("filePath", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _context.Model.Load("", out _)).ParamName);
    }

    [TestMethod]
    public void A_saved_schema_keeps_its_types()
    {
        DataViewSchema.Builder builder = new();
        builder.AddColumn("Features", new VectorDataViewType(NumberDataViewType.Single, 2));
        builder.AddColumn("Key", new KeyDataViewType(typeof(uint), 7));
        builder.AddColumn("Matrix", new VectorDataViewType(NumberDataViewType.Int64, 2, 3));
        builder.AddColumn("Words", new VectorDataViewType(TextDataViewType.Instance));
        builder.AddColumn("Text", TextDataViewType.Instance);
        builder.AddColumn("Text", BooleanDataViewType.Instance);

        CoreModelBridge.Register(_context.ComponentCatalog, typeof(CoreScalerTransformer));
        _context.Model.Load(new MemoryStream(Save(new CoreScalerTransformer(1), builder.ToSchema())), out DataViewSchema schema);
        Assert.AreEqual("Features: Vector<Single, 2>, Key: Key<UInt32, 0-6>, Matrix: Vector<Int64, 2, 3>, Words: Vector<String>, Text: String, Text: Boolean",
            string.Join(", ", schema));
        Assert.IsTrue(schema[4].IsHidden);
    }

    [TestMethod]
    public void A_custom_mapping_is_saved_by_its_contract_or_not_at_all()
    {
        ITransformer unnamed = _context.Transforms.CustomMapping<CoreValue, CoreScaled>((_, _) => { }, null).Fit(Values(1));
        Assert.AreEqual("Empty contract name for a transform: the transform cannot be saved",
            Assert.ThrowsExactly<InvalidOperationException>(() => Save(unnamed, null)).Message);
        ITransformer named = _context.Transforms.CustomMapping(new Negation().GetMapping(), "CoreNegation").Fit(Values(1));
        byte[] saved = Save(named, null);
        MLContext other = new();
        ITransformer loaded = other.Model.Load(new MemoryStream(saved), out _);
        Assert.AreEqual(-3f, loaded.Transform(Values(3)).GetColumn<float>("Scaled").Single());
    }

    private static byte[] Without(byte[] archive, string name)
    {
        MemoryStream stream = new();
        stream.Write(archive);
        using (ZipArchive zip = new(stream, ZipArchiveMode.Update, leaveOpen: true))
            zip.Entries.Single(entry => entry.FullName.EndsWith(name, StringComparison.Ordinal)).Delete();
        return stream.ToArray();
    }

    private TransformerChain<CoreScalerTransformer> Fit() => new EstimatorChain<ITransformer>().Append(new CoreScaler()).Fit(Values(1, 3));

    private byte[] Save(ITransformer model, DataViewSchema? schema)
    {
        using MemoryStream stream = new();
        _context.Model.Save(model, schema, stream);
        return stream.ToArray();
    }

    private IDataView Values(params float[] values) => _context.Data.LoadFromEnumerable(values.Select(value => new CoreValue { Value = value }).ToArray());

    [CustomMappingFactoryAttribute("CoreNegation")]
    internal sealed class Negation : CustomMappingFactory<CoreValue, CoreScaled>
    {
        public override Action<CoreValue, CoreScaled> GetMapping() => (from, to) => to.Scaled = -from.Value;
    }
}
