using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using Microsoft.ML;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Safetensors;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Archive;

[TestClass]
public sealed class LargeModelTests
{
    private const long MiB = 1 << 20;
    private static readonly Gpt2Configuration LargeEnough = new(ByteLevelTokenizer.EndOfTextId + 1, ContextLength: 64, Layers: 1, Heads: 1, Width: 1200);

    // Weights of 67 MiB, nearly all zero, so that packing them takes little time.
    // Seen to fail with: the weights written to memory first.
    [TestMethod]
    public void Saving_and_loading_need_a_few_megabytes_whatever_the_size_of_the_model()
    {
        var mlContext = new MLContext();
        using var folder = new Samples.TemporaryFolder();
        var network = CreateLarge();
        long bytes = network.parameters().Sum(parameter => parameter.numel() * sizeof(float));
        Assert.IsGreaterThan(64 * MiB, bytes);
        using var model = new CausalLanguageModelTransformer(new TrainedLanguageModel(network, new ByteLevelTokenizer()), Tiny.Options(), training: null);
        mlContext.CausalLanguageModeling.RegisterLoader();
        ITransformer? loaded = null;

        Assert.IsLessThan(8 * MiB, Allocated(() => mlContext.Model.Save(model, null, folder["model.zip"])));
        Assert.IsLessThan(8 * MiB, Allocated(() => loaded = mlContext.Model.Load(folder["model.zip"], out _)));

        using var reloaded = (CausalLanguageModelTransformer)loaded!;
        var rows = Tiny.Rows(mlContext, "a", "bc");
        CollectionAssert.AreEqual(
            Tiny.Score(mlContext, model, rows).Select(row => row.LossSum).ToArray(), Tiny.Score(mlContext, reloaded, rows).Select(row => row.LossSum).ToArray());
    }

    // What is written to the archive and read from it goes through a stream that looks at ML.NET's temporary folder. The weights are stored, the description packed.
    // Seen to fail with: ML.NET's own way of writing an entry (67 MiB in a temporary file).
    [TestMethod]
    public void Weights_go_straight_into_the_archive_and_from_it_and_are_not_compressed()
    {
        using var folder = new Samples.TemporaryFolder();
        var mlContext = new MLContext { TempFilePath = folder.Path };
        using var model = new CausalLanguageModelTransformer(new TrainedLanguageModel(CreateLarge(), new ByteLevelTokenizer()), Tiny.Options(), training: null);
        mlContext.CausalLanguageModeling.RegisterLoader();
        using WatchingStream archive = new(folder.Path);

        mlContext.Model.Save(model, null, archive);
        archive.Position = 0;
        ((IDisposable)mlContext.Model.Load(archive, out _)).Dispose();

        Assert.IsInRange(1, MiB, archive.LargestTotal, "bytes in temporary files");
        using ZipArchive zip = new(archive);
        ZipArchiveEntry weights = Entry("weights.safetensors"), options = Entry("options.json");
        Assert.AreEqual(weights.Length, weights.CompressedLength);
        Assert.IsLessThan(options.Length, options.CompressedLength);

        ZipArchiveEntry Entry(string name) => zip.Entries.Single(entry => entry.FullName.EndsWith(name, StringComparison.Ordinal));
    }

    // One element that stands for 2^31 + 10 of them: nothing of that size is ever in memory.
    // Seen to fail with: pieces of a gigabyte.
    [TestMethod]
    public void A_tensor_of_more_than_two_gigabytes_is_written_piece_by_piece()
    {
        const long elements = (1L << 31) + 10;
        using var module = new Stretched(elements);
        using var stream = new CountingStream();

        ModuleWeights.Save(module, stream);

        var entry = SafetensorsHeader.Parse(stream.Head.AsMemory(sizeof(ulong), HeaderLength(stream.Head)), elements).Single();
        Assert.AreEqual((0L, elements), (entry.Begin, entry.End));
        Assert.AreEqual(sizeof(ulong) + HeaderLength(stream.Head) + elements, stream.Count);
        Assert.IsLessThanOrEqualTo(4 * MiB, stream.LargestPiece);
    }

    // Seen to fail with: pieces of a gigabyte.
    [TestMethod]
    public void A_tensor_is_read_piece_by_piece()
    {
        using var written = new MemoryStream();
        using var source = new Stretched(16 * MiB);
        using var target = new Stretched(16 * MiB, contiguous: true);
        ModuleWeights.Save(source, written);
        using var stream = new PieceStream(written.ToArray());

        ModuleWeights.Load(target, stream, written.Length);

        Assert.IsLessThanOrEqualTo(4 * MiB, stream.LargestPiece);
    }

    [TestMethod]
    public void Offsets_past_two_and_four_gigabytes_are_read_as_they_are_written()
    {
        SafetensorsEntry[] written =
        [
            new("first", ScalarType.Float32, [3, 1L << 28], 0, 3L << 30),
            new("second", ScalarType.Float64, [1L << 28], 3L << 30, 5L << 30),
            new("third", ScalarType.Byte, [7], 5L << 30, (5L << 30) + 7),
        ];

        var read = SafetensorsHeader.Parse(SafetensorsWriter.WriteHeader(written), (5L << 30) + 7);

        CollectionAssert.AreEqual(written.Select(entry => (entry.Name, entry.Begin, entry.End)).ToArray(), read.Select(entry => (entry.Name, entry.Begin, entry.End)).ToArray());
        var error = Assert.ThrowsExactly<InvalidDataException>(() => SafetensorsHeader.Parse(SafetensorsWriter.WriteHeader(written), 1L << 30));
        Assert.Contains(((5L << 30) + 7).ToString(CultureInfo.InvariantCulture), error.Message);
    }

    private static int HeaderLength(byte[] head) => (int)BinaryPrimitives.ReadUInt64LittleEndian(head);

    private static Gpt2Model CreateLarge()
    {
        Gpt2Model network = Gpt2Model.CreateUninitialized(LargeEnough);
        using var _ = no_grad();
        foreach (Parameter parameter in network.parameters())
            parameter.zero_();
        network.HeadWeight.narrow(0, 0, 1).fill_(0.5);
        return network;
    }

    private static long Allocated(Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private sealed class Stretched : nn.Module
    {
        public Stretched(long elements, bool contiguous = false)
            : base(nameof(Stretched))
        {
            using var scope = NewDisposeScope();
            var stretched = zeros(1, dtype: ScalarType.Byte).expand(elements);
            register_buffer("weight", (contiguous ? stretched.contiguous() : stretched).DetachFromDisposeScope());
        }
    }

    /// <summary>Looks at the size of a folder's files whenever it is written or read.</summary>
    private sealed class WatchingStream(string folder) : MemoryStream
    {
        public long LargestTotal { get; private set; }

        // Spans come here as well.
        public override void Write(byte[] buffer, int offset, int count)
        {
            Look();
            base.Write(buffer, offset, count);
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            Look();
            return base.Read(buffer, offset, count);
        }

        private void Look() => LargestTotal = Math.Max(LargestTotal, new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length));
    }

    private sealed class PieceStream(byte[] content) : MemoryStream(content)
    {
        public int LargestPiece { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            LargestPiece = Math.Max(LargestPiece, buffer.Length);
            return base.Read(buffer);
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            LargestPiece = Math.Max(LargestPiece, count);
            return base.Read(buffer, offset, count);
        }
    }

    /// <summary>Counts what is written and keeps the first piece of it.</summary>
    private sealed class CountingStream : Stream
    {
        private const int HeadBytes = 1024;
        private readonly MemoryStream _head = new();

        public long Count { get; private set; }

        public int LargestPiece { get; private set; }

        public byte[] Head => _head.ToArray();

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (_head.Length < HeadBytes)
                _head.Write(buffer[..Math.Min(buffer.Length, HeadBytes)]);
            Count += buffer.Length;
            LargestPiece = Math.Max(LargestPiece, buffer.Length);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
