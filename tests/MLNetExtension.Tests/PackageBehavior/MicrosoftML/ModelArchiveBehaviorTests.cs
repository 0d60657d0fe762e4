using System.IO.Compression;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetExtension.MLNet.Archive;

namespace MLNetExtension.Tests.PackageBehavior.MicrosoftML;

/// <summary>
/// What ML.NET keeps internal of its model archive and its schema shapes does what <see cref="ModelArchiveBridge"/> reaches for it:
/// <see cref="MLNetExtension.CausalLanguageModelTransformer"/> is saved and loaded by it, and <see cref="MLNetExtension.MLNet.Scoring.OutputColumn"/> describes its columns by it.
/// </summary>
[TestClass]
public sealed class ModelArchiveBehaviorTests
{
    private const string LoaderSignature = "PackageBehaviorTests", EntryName = "number";

    // Two language models may stand in one pipeline, and their entries have the same names.
    [TestMethod]
    public void Components_of_one_archive_read_back_entries_of_the_same_name_each_its_own()
    {
        byte[] saved = Save(new TransformerChain<ITransformer>(new Component(3), new Component(5)));

        using var archive = new ZipArchive(new MemoryStream(saved));
        string[] names = [.. archive.Entries.Select(entry => entry.FullName.Replace('\\', '/'))];
        CollectionAssert.IsSubsetOf(new[] { $"TransformerChain/Transform_000/{EntryName}", $"TransformerChain/Transform_001/{EntryName}" }, names);
        CollectionAssert.AreEqual(new[] { 3, 5 }, ((IEnumerable<ITransformer>)Load(new MLContext(), saved)).Select(component => ((Component)component).Number).ToArray());
    }

    // MLNetExtension.MLNet.Archive.ArchiveReader tells a missing entry from an empty one.
    [TestMethod]
    public void An_entry_that_is_not_there_is_not_found()
    {
        var chain = (IEnumerable<ITransformer>)Load(new MLContext(), Save(new TransformerChain<ITransformer>(new Component(3), new Component(5))));
        foreach (Component component in chain.Cast<Component>())
            Assert.AreEqual(((long?)sizeof(int), (long?)null), (component.EntryLength, component.OtherEntryLength));
    }

    // Earlier versions of this library read entries by ML.NET's own reader, whatever their packing.
    [TestMethod]
    [DataRow(CompressionLevel.Optimal)]
    [DataRow(CompressionLevel.NoCompression)]
    public void An_entry_that_the_bridge_writes_into_the_archive_is_read_by_mlnet_as_one_of_its_own(CompressionLevel compression)
    {
        byte[] saved = Save(new TransformerChain<ITransformer>(new Component(3) { Compression = compression }, new Component(5) { Compression = compression }));

        CollectionAssert.AreEqual(new[] { 3, 5 }, ((IEnumerable<ITransformer>)Load(new MLContext(), saved)).Select(component => ((Component)component).NumberReadByMLNet).ToArray());
        using var archive = new ZipArchive(new MemoryStream(saved));
        Assert.AreEqual(compression == CompressionLevel.NoCompression, archive.Entries.Where(entry => entry.Name == EntryName).All(entry => entry.CompressedLength == entry.Length));
    }

    // The length is the one in the archive's directory. Whatever the packed bytes hold, no more are unpacked.
    [TestMethod]
    public void An_entry_gives_no_more_bytes_than_the_directory_says()
    {
        using var stream = new MemoryStream();
        using (var written = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        using (Stream entry = written.CreateEntry("zeros").Open())
            entry.Write(new byte[10_000_000]);
        byte[] bytes = stream.ToArray();
        int directory = bytes.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(directory + 24), 1_000);

        using var archive = new ZipArchive(new MemoryStream(bytes));
        Assert.AreEqual(1_000, archive.Entries.Single().Length);
        using var unpacked = new MemoryStream();
        try
        {
            using Stream entry = archive.Entries.Single().Open();
            entry.CopyTo(unpacked);
        }
        catch (InvalidDataException)
        {
            // It may be refused as well.
        }
        Assert.IsLessThanOrEqualTo(1_000, unpacked.Length);
    }

    // MLNetExtension.MLNet.Trainer.TorchDevice finds the context, and the GPU it asks for, by the catalog.
    [TestMethod]
    public void A_loader_is_given_an_environment_inside_the_context_that_shares_its_component_catalog()
    {
        var mlContext = new MLContext();

        IHostEnvironment environment = ((Component)Load(mlContext, Save(new Component(3)))).Environment!;

        Assert.IsNotInstanceOfType<MLContext>(environment);
        Assert.AreSame(mlContext.ComponentCatalog, environment.ComponentCatalog);
    }

    // ModelArchiveBridge remembers which catalogs it has registered a loader in.
    [TestMethod]
    public void A_catalog_keeps_its_loaders_to_itself()
    {
        byte[] saved = Save(new Component(3));
        Load(new MLContext(), saved);

        Assert.ThrowsExactly<FormatException>(() => new MLContext().Model.Load(new MemoryStream(saved), out _));
    }

    [TestMethod]
    public void A_column_of_a_schema_shape_is_what_it_was_made_of()
    {
        SchemaShape.Column annotation = ModelArchiveBridge.Column("Kind", SchemaShape.Column.VectorKind.Scalar, TextDataViewType.Instance, isKey: false, annotations: null);
        SchemaShape.Column column = ModelArchiveBridge.Column("Set", SchemaShape.Column.VectorKind.VariableVector, NumberDataViewType.UInt32, isKey: true, new SchemaShape([annotation]));

        Assert.AreEqual(("Set", SchemaShape.Column.VectorKind.VariableVector, true), (column.Name, column.Kind, column.IsKey));
        Assert.AreEqual(NumberDataViewType.UInt32, column.ItemType);
        Assert.AreEqual("Kind", column.Annotations.Single().Name);
        Assert.IsEmpty(annotation.Annotations);
        Assert.IsNull(default(SchemaShape.Column).Name, "a search by name that finds nothing gives this");
    }

    private static byte[] Save(ITransformer model)
    {
        using var stream = new MemoryStream();
        new MLContext().Model.Save(model, null, stream);
        return stream.ToArray();
    }

    private static ITransformer Load(MLContext mlContext, byte[] saved)
    {
        ModelArchiveBridge.RegisterLoader(mlContext, LoaderSignature, Component.Load);
        return mlContext.Model.Load(new MemoryStream(saved), out _);
    }

    /// <summary>Adds no column; it is saved with a number.</summary>
    private sealed class Component(int number) : ITransformer
    {
        public int Number => number;

        public CompressionLevel Compression { get; init; } = CompressionLevel.Optimal;

        public int NumberReadByMLNet { get; private init; }

        public IHostEnvironment? Environment { get; private init; }

        public long? EntryLength { get; private init; }

        public long? OtherEntryLength { get; private init; }

        public bool IsRowToRowMapper => false;

        public static ITransformer Load(IHostEnvironment environment, object loadContext)
        {
            ZipArchiveEntry entry = ModelArchiveBridge.FindEntry(loadContext, EntryName)!;
            using var reader = new BinaryReader(entry.Open());
            return new Component(reader.ReadInt32())
            {
                NumberReadByMLNet = ReadByMLNet(loadContext),
                Environment = environment,
                EntryLength = entry.Length,
                OtherEntryLength = ModelArchiveBridge.FindEntry(loadContext, "other")?.Length,
            };
        }

        public void Save(ModelSaveContext ctx)
        {
            ModelArchiveBridge.SetLoader(ctx, LoaderSignature, version: 1);
            ModelArchiveBridge.WriteEntry(ctx, EntryName, Compression, stream => stream.Write(BitConverter.GetBytes(number)));
        }

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;

        public IDataView Transform(IDataView input) => input;

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();

        private static int ReadByMLNet(object loadContext)
        {
            int number = 0;
            Action<BinaryReader> read = reader => number = reader.ReadInt32();
            MethodInfo method = loadContext.GetType().GetMethod("TryLoadBinaryStream", BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)!;
            Assert.IsTrue((bool)method.Invoke(loadContext, [EntryName, read])!);
            return number;
        }
    }
}
