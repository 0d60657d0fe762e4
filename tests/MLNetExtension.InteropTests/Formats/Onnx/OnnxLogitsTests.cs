using Microsoft.ML.OnnxRuntime.Tensors;
using MLNetExtension.Models;
using MLNetExtension.Tests.Samples;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace MLNetExtension.InteropTests.Formats.Onnx;

/// <summary>ONNX Runtime computes of an exported model the logits that the model computes here.</summary>
[TestClass]
internal sealed class OnnxLogitsTests
{
    private const double Tolerance = 1e-4;

    // Rows of unequal length, one of them a single token.
    private static readonly long[][] Rows = [.. new[] { 9, 5, 1 }.Select((length, row) => Enumerable.Range(0, length).Select(i => (long)((37 * (i + 1) * (row + 2)) % 257)).ToArray())];

    public static IEnumerable<object[]> Models => OnnxModels.Names.SelectMany(name => new[] { false, true }, (name, adapters) => new object[] { name, adapters });

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void Logits_are_equal_with_and_without_cache_and_in_padded_batches(string name, bool adapters)
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using OnnxModel model = OnnxModels.Make(name, adapters);
        float[][,] expected = [.. Rows.Select(row => Logits(model.Network, row))];
        Assert.IsGreaterThan(1, expected[0].Cast<float>().Max(logit => Math.Abs(logit)), "The logits say little.");

        model.Transformer.SaveAsOnnx(folder.Path);

        using OnnxSession session = new(folder.Path);
        double error = 0;
        foreach ((long[] row, float[,] logits) in Rows.Zip(expected))
        {
            // Whole; then from a prompt on, two tokens and then one at a time.
            session.Clear();
            error = Math.Max(error, Compare(session.Run([row], [Ones(row.Length)]), 0, 0, logits, 0));
            session.Clear();
            for (int start = 0, count = 3; start < row.Length; start += count, count = start < 5 ? 2 : 1)
            {
                count = Math.Min(count, row.Length - start);
                error = Math.Max(error, Compare(session.Run([row[start..(start + count)]], [Ones(start + count)]), 0, 0, logits, start));
            }
        }
        Assert.IsLessThan(Tolerance, error, "one row");
        Assert.IsLessThan(Tolerance, CompareBatch(session, expected, isLeft: true), "padded at the left end");
        Assert.IsLessThan(Tolerance, CompareBatch(session, expected, isLeft: false), "padded at the right end");
        if (adapters)
        {
            using OnnxModel without = OnnxModels.Make(name);
            Assert.IsGreaterThan(100 * Tolerance, Differ(Logits(without.Network, Rows[0]), expected[0]), "The adapters change little.");
        }
    }

    // A control: padding that the mask does not name must change the logits, or the test above sees nothing of it.
    [TestMethod]
    public void Padding_that_the_mask_calls_tokens_changes_the_logits()
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using OnnxModel model = OnnxModels.Make("llama, tied");
        model.Transformer.SaveAsOnnx(folder.Path);
        using OnnxSession session = new(folder.Path);
        float[,] expected = Logits(model.Network, Rows[1]);
        long[] padded = [0, 0, .. Rows[1]];
        Assert.IsGreaterThan(100 * Tolerance, Compare(session.Run([padded], [Ones(padded.Length)]), 0, 2, expected, 0));
    }

    // In half precision the weights are those of the model, and the computation is more exact.
    [TestMethod]
    [DataRow("gpt2, tied")]
    [DataRow("qwen3, untied, yarn")]
    public void A_model_in_bfloat16_is_written_as_the_same_numbers_in_float32(string name)
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using OnnxModel model = OnnxModels.Make(name);
        model.Network.to(ScalarType.BFloat16);
        model.Transformer.SaveAsOnnx(folder.Path);
        using OnnxSession session = new(folder.Path);
        Tensor half = model.Network.forward(tensor(Rows[0]).unsqueeze(0)).to(ScalarType.Float32);
        model.Network.to(ScalarType.Float32);
        float[,] exact = Logits(model.Network, Rows[0]);
        DenseTensor<float> logits = session.Run([Rows[0]], [Ones(Rows[0].Length)]);
        Assert.IsLessThan(Tolerance, Compare(logits, 0, 0, exact, 0));
        Assert.IsGreaterThan(10 * Tolerance, Compare(logits, 0, 0, ToArray(half.squeeze(0)), 0));
    }

    // The whole batch at once, then its first positions and the others by the cache.
    private static double CompareBatch(OnnxSession session, float[][,] expected, bool isLeft)
    {
        int longest = Rows.Max(row => row.Length);
        long[][] ids = [.. Rows.Select(row => Pad(row, longest, isLeft))], mask = [.. Rows.Select(row => Pad(Ones(row.Length), longest, isLeft))];
        session.Clear();
        double error = CompareRows(session.Run(ids, mask), 0);
        session.Clear();
        const int prompt = 4;
        error = Math.Max(error, CompareRows(session.Run([.. ids.Select(row => row[..prompt])], [.. mask.Select(row => row[..prompt])]), 0));
        return Math.Max(error, CompareRows(session.Run([.. ids.Select(row => row[prompt..])], mask), prompt));

        double CompareRows(DenseTensor<float> logits, int start)
        {
            double worst = 0;
            for (int row = 0; row < Rows.Length; row++)
            {
                int first = (isLeft ? longest - Rows[row].Length : 0) - start;      // where the row's first token is among these positions
                if (first + Rows[row].Length <= 0 || first >= logits.Dimensions[1])
                    continue;
                worst = Math.Max(worst, Compare(logits, row, Math.Max(first, 0), expected[row], Math.Max(-first, 0)));
            }
            return worst;
        }
    }

    // The largest difference from a position of a row on, and from a position of what is expected on, to the end of either.
    private static double Compare(DenseTensor<float> logits, int row, int first, float[,] expected, int firstExpected)
    {
        double worst = 0;
        int count = Math.Min(logits.Dimensions[1] - first, expected.GetLength(0) - firstExpected);
        Assert.IsGreaterThan(0, count);
        for (int t = 0; t < count; t++)
        {
            for (int id = 0; id < expected.GetLength(1); id++)
            {
                double difference = Math.Abs(logits[row, first + t, id] - expected[firstExpected + t, id]);
                worst = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(worst, difference);
            }
        }
        return worst;
    }

    private static double Differ(float[,] a, float[,] b) => a.Cast<float>().Zip(b.Cast<float>(), (x, y) => Math.Abs(x - y)).Max();

    private static float[,] Logits(CausalLanguageModel network, long[] row)
    {
        using var untracked = no_grad();
        return ToArray(network.forward(tensor(row).unsqueeze(0)).squeeze(0));
    }

    private static float[,] ToArray(Tensor logits)
    {
        float[] flat = logits.detach().contiguous().data<float>().ToArray();
        float[,] array = new float[logits.shape[0], logits.shape[1]];
        Buffer.BlockCopy(flat, 0, array, 0, flat.Length * sizeof(float));
        return array;
    }

    private static long[] Ones(int count) => [.. Enumerable.Repeat(1L, count)];

    private static long[] Pad(long[] row, int length, bool isLeft)
    {
        long[] padding = new long[length - row.Length];
        return isLeft ? [.. padding, .. row] : [.. row, .. padding];
    }
}
