using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Evaluation;

/// <summary>What <c>Evaluate</c> gives, from text to metrics, beside the definition of each metric in float64.</summary>
[TestClass]
public sealed class EvaluateReferenceTests
{
    // Enough text, of every length from nothing to more than the context, that an untrained model guesses some of it.
    private static readonly Row[] Rows = [.. Enumerable.Range(0, 120).Select(i =>
    {
        var random = new Random(i);
        return new Row { Text = new string([.. Enumerable.Range(0, i % 30).Select(_ => (char)random.Next(32, 300))]), Weight = i % 4 / 2f };
    })];

    // Seen to fail with: weights left out of any of the four sums; hits counted against the wrong row.
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Every_metric_is_that_of_a_float64_reference(bool weighted)
    {
        var mlContext = new MLContext(seed: 1);
        using var model = new CausalLanguageModelTransformer(
            new TrainedLanguageModel(TinyModels.Gpt2(ScalarType.Float32), new ByteLevelTokenizer()), new CausalLanguageModelTrainer.Options(), training: null);
        using Gpt2Model reference = TinyModels.Gpt2();
        double loss = 0, tokens = 0, bytes = 0, correct = 0;
        TokenExampleEncoder encoder = new(new ByteLevelTokenizer(), TinyModels.ContextLength);
        foreach (Row row in Rows)
        {
            TokenExample example = encoder.Encode(new TextRow("", row.Text), 0);
            double weight = weighted ? row.Weight : 1;
            (double rowLoss, double rowCorrect) = ByHand(reference, example);
            loss += weight * rowLoss;
            correct += weight * rowCorrect;
            tokens += weight * example.TargetCount;
            bytes += weight * example.TargetBytes;
        }

        CausalLanguageModelMetrics metrics = mlContext.CausalLanguageModeling.Evaluate(
            model.Transform(mlContext.Data.LoadFromEnumerable(Rows)), exampleWeightColumnName: weighted ? "Weight" : null);

        Assert.AreEqual(loss / tokens, metrics.Loss, 1e-5 * metrics.Loss);
        Assert.AreEqual(Math.Exp(loss / tokens), metrics.Perplexity, 1e-4 * metrics.Perplexity);
        Assert.AreEqual(loss / tokens / Math.Log(2), metrics.BitsPerToken, 1e-5 * metrics.BitsPerToken);
        Assert.AreEqual(loss / bytes / Math.Log(2), metrics.BitsPerByte, 1e-5 * metrics.BitsPerByte);
        Assert.AreEqual(correct / tokens, metrics.Accuracy, 1e-12);
        Assert.AreEqual(tokens, metrics.TokenWeight, 1e-12);
        Assert.AreEqual(Rows.Length, metrics.Rows);
        Assert.IsGreaterThan(0, correct);
    }

    [TestMethod]
    public void An_evaluation_reads_every_row_once()
    {
        int read = 0;
        var mlContext = new MLContext(seed: 1);
        using var model = new CausalLanguageModelTransformer(
            new TrainedLanguageModel(TinyModels.Gpt2(ScalarType.Float32), new ByteLevelTokenizer()), new CausalLanguageModelTrainer.Options(), training: null);
        IDataView data = mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 300).Select(i =>
        {
            read++;
            return new Row { Text = new string('x', i % 7) };
        }));

        Assert.AreEqual(300, mlContext.CausalLanguageModeling.Evaluate(model.Transform(data)).Rows);
        Assert.AreEqual(300, read);
    }

    // The whole logits, [T,V], in float64.
    private static (double Loss, double Correct) ByHand(Gpt2Model model, TokenExample example)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Tensor ids = tensor(example.Ids.Select(id => (long)id).ToArray(), [1, example.Length]);
        Tensor targets = tensor(example.Targets.Select(id => (long)id).ToArray());
        Tensor logits = model.call(ids).squeeze(0);
        return (-logits.log_softmax(1).gather(1, targets.unsqueeze(1)).sum().item<double>(), logits.argmax(1).eq(targets).to(float64).sum().item<double>());
    }

    private sealed class Row
    {
        public string Text { get; set; } = "";

        public float Weight { get; set; } = 1;
    }
}
