using MLNetExtension.Formats;
using MLNetExtension.Formats.Gguf;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization;

namespace MLNetExtension.InteropTests.Formats.Gguf;

/// <summary>What llama.cpp computes of files that this library wrote.</summary>
[TestClass]
public sealed class GgufLogitsTests
{
    private const int EndOfText = SmallModels.Vocabulary - 1;

    public static IEnumerable<string> Names => SmallModels.Names;

    public static IEnumerable<string> Families => SmallModels.Families;

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Logits_and_greedy_tokens_of_a_float32_file_are_the_models(string name)
    {
        using CausalLanguageModel model = SmallModels.Create(name);
        AssertSame(model);
    }

    [TestMethod]
    [DynamicData(nameof(Families))]
    public void Adapters_are_merged_into_the_file_and_the_model_keeps_them(string name)
    {
        using CausalLanguageModel plain = SmallModels.Create(name), model = SmallModels.Create(name);
        SmallModels.Adapt(model);
        int[] row = Row(0, 12);
        float[][] before = SmallModels.ComputeLogits(model, row);
        Assert.IsGreaterThan(0.1, RelativeError(before, SmallModels.ComputeLogits(plain, row)), "the adapters change what is computed");

        AssertSame(model);

        CollectionAssert.AreEqual(before.SelectMany(logits => logits).ToArray(), SmallModels.ComputeLogits(model, row).SelectMany(logits => logits).ToArray());
    }

    // A product rounds each weight and each activation by a relative u at most: 2^-11 in float16 and 2^-9 in bfloat16. In Q8_0 it is half a step of its block, the largest magnitude / 254, and of 32
    // normally distributed numbers that magnitude is seldom above three standard deviations: 3/254. (llama.cpp rounds activations to the type of the weights.) Each of the 4 products in a row of a block and
    // the head add 2u at most, so that the whole is off by no more than 2 (4 L + 1) u; roundings that are independent cancel in part.
    [TestMethod]
    [DynamicData(nameof(Rounded))]
    public void Logits_of_a_smaller_type_differ_by_no_more_than_its_rounding(string name, GgufType type, double unit)
    {
        using CausalLanguageModel model = SmallModels.Create(name);
        using Folder folder = new();
        int[] row = Row(1, 40);
        using LlamaCpp theirs = new(Save(model, folder, type));
        double error = RelativeError(theirs.ComputeLogits(row), SmallModels.ComputeLogits(model, row));
        Assert.IsLessThan(2 * (4 * 2 + 1) * unit, error);
        Assert.IsGreaterThan(unit / 30, error, "the file is of this type");
    }

    public static IEnumerable<object[]> Rounded => Families.SelectMany(name => new object[][] { [name, GgufType.F16, 1.0 / 2048], [name, GgufType.BF16, 1.0 / 512], [name, GgufType.Q8_0, 3.0 / 254] });

    [TestMethod]
    public void A_model_of_token_ids_alone_is_read_without_a_vocabulary()
    {
        using CausalLanguageModel model = SmallModels.Create("llama untied");
        using Folder folder = new();
        using LlamaCpp theirs = new(GgufModel.Save(folder["model.gguf"], model, new TokenIdsOnly(SmallModels.Vocabulary, null, EndOfText), SpecialTokens.None, GgufType.F32));
        Assert.IsLessThan(1e-3, LargestDifference(theirs.ComputeLogits(Row(2, 20)), SmallModels.ComputeLogits(model, Row(2, 20))));
    }

    private static void AssertSame(CausalLanguageModel model)
    {
        using Folder folder = new();
        using LlamaCpp theirs = new(Save(model, folder, GgufType.F32));
        for (int seed = 0; seed < 4; seed++)
        {
            float[][] expected = SmallModels.ComputeLogits(model, Row(seed, 60));
            float largest = expected.SelectMany(logits => logits).Max(Math.Abs);
            // Or little would be seen of what is wrong.
            Assert.IsGreaterThan(0.5f, largest);
            // llama.cpp looks GELU up in a table of half-precision numbers, whose rounding is in every block's output: 2^-11 of it.
            double tolerance = model is Gpt2Model ? 1e-3 * largest : 1e-4;
            Assert.IsLessThan(tolerance, LargestDifference(theirs.ComputeLogits(Row(seed, 60)), expected));
        }
        for (int seed = 0; seed < 20; seed++)
            CollectionAssert.AreEqual(SmallModels.Continue(model, Row(seed, 4 + seed), 10), theirs.Continue(Row(seed, 4 + seed), 10), $"prompt {seed}");
    }

    private static string Save(CausalLanguageModel model, Folder folder, GgufType type) => GgufModel.Save(folder["model.gguf"], model, SmallTokenizers.Train(), SpecialTokens.None, type);

    private static int[] Row(int seed, int length)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(SmallModels.Vocabulary))];
    }

    private static double LargestDifference(float[][] actual, float[][] expected) => actual.Zip(expected).Max(rows => rows.First.Zip(rows.Second).Max(pair => Math.Abs(pair.First - pair.Second)));

    private static double RelativeError(float[][] actual, float[][] expected)
    {
        double difference = 0, norm = 0;
        foreach ((float[] one, float[] other) in actual.Zip(expected))
        {
            difference += one.Zip(other).Sum(pair => Math.Pow(pair.First - pair.Second, 2));
            norm += other.Sum(value => (double)value * value);
        }
        return Math.Sqrt(difference / norm);
    }
}
