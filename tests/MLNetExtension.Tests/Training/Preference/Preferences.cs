using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Preference;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Preference;

/// <summary>Pairs of ragged rows, the methods' losses written out by torch's own operations, and the two passes of the library.</summary>
internal static class Preferences
{
    // Coefficients for which no sigmoid is saturated on these models.
    public static readonly Dictionary<string, PreferenceMethod> Methods = new()
    {
        ["dpo"] = PreferenceMethod.Dpo(beta: 0.02),
        ["cdpo"] = PreferenceMethod.Dpo(beta: 0.03, labelSmoothing: 0.2),
        ["rpo"] = PreferenceMethod.Dpo(beta: 0.02, likelihoodWeight: 0.4),
        ["ipo"] = PreferenceMethod.Ipo(tau: 0.3),
        ["ipoSums"] = PreferenceMethod.Ipo(tau: 0.02, averageOverTokens: false),
        ["orpo"] = PreferenceMethod.Orpo(lambda: 0.7),
        ["simpo"] = PreferenceMethod.SimPo(beta: 0.6, gamma: 0.4),
        ["kto"] = PreferenceMethod.Kto(beta: 0.02, desirableWeight: 1.3, undesirableWeight: 0.8),
    };

    /// <summary>Pairs that follow one another, of rows with masked prompts and lengths from 1 to 24.</summary>
    public static TokenExample[] Rows(int pairs, int seed = 7, bool weighted = false)
    {
        Random random = new(seed);
        List<TokenExample> rows = [];
        for (int pair = 0; pair < pairs; pair++)
        {
            double weight = weighted ? random.Next(1, 7) / 2.0 : 1;
            for (int i = 0; i < 2; i++)
            {
                TokenExample drawn = Ragged.Example(random, random.Next(1, 25), pair, masked: 0.4);
                TokenExample row = new(drawn.Ids, drawn.Targets, drawn.Length, pair, weight: weight) { Number = rows.Count };
                rows.Add(pair % 3 == 1 && i == 0 ? row.MarkUndesirable() : row);
            }
        }
        return [.. rows];
    }

    public static Gpt2Model Reference()
    {
        Gpt2Model model = Ragged.Model(seed: 2);
        model.eval();
        return model;
    }

    /// <summary>Loss and gradient of a batch by whole logits, torch's log-softmax, the papers' equations and autograd: one padded batch, one division.</summary>
    public static (double Loss, Tensor Gradient) FullBatch(string method, IReadOnlyList<TokenExample> rows)
    {
        using Gpt2Model model = Ragged.Model(), referenceModel = Reference();
        using FlatParameters parameters = new(model.named_parameters());
        Tensor tokens = tensor([.. rows.Select(row => (double)row.TargetCount)]).view(-1, 2);
        Tensor weights = tensor([.. rows.Where((_, i) => i % 2 == 0).Select(row => row.Weight)]);
        Tensor undesirable = tensor([.. rows.Where((_, i) => i % 2 == 0).Select(row => row.IsUndesirable)]);
        Tensor policy = LogProbabilities(model, rows).view(-1, 2), reference = LogProbabilities(referenceModel, rows).view(-1, 2).detach();
        Tensor ratio = policy - reference, mean = policy / tokens;
        Tensor Difference(Tensor of) => of.select(1, 0) - of.select(1, 1);
        Tensor LogSigmoid(Tensor of) => nn.functional.logsigmoid(of);
        Tensor losses;
        switch (method)
        {
            case "dpo":
                losses = -LogSigmoid(0.02 * Difference(ratio));
                break;
            case "cdpo":
                losses = -0.8 * LogSigmoid(0.03 * Difference(ratio)) - 0.2 * LogSigmoid(-0.03 * Difference(ratio));
                break;
            case "rpo":
                losses = -LogSigmoid(0.02 * Difference(ratio)) - 0.4 * mean.select(1, 0);
                break;
            case "ipo":
                losses = (Difference(ratio / tokens) - 1 / 0.6).square();
                break;
            case "ipoSums":
                losses = (Difference(ratio) - 1 / 0.04).square();
                break;
            case "orpo":
                Tensor odds = mean.exp() / (1 - mean.exp());
                losses = -mean.select(1, 0) - 0.7 * LogSigmoid(Difference(odds.log()));
                break;
            case "simpo":
                losses = -LogSigmoid(0.6 * Difference(mean) - 0.4);
                break;
            default:
                Tensor z = ((ratio.select(1, 1) * weights).sum() / weights.sum()).clamp(min: 0).detach();
                Tensor good = 1.3 * (1 - (0.02 * (ratio.select(1, 0) - z)).sigmoid()), bad = 0.8 * (1 - (0.02 * (z - ratio.select(1, 0))).sigmoid());
                losses = where(undesirable, bad, good);
                break;
        }
        Tensor loss = (losses * weights).sum() / weights.sum();
        loss.backward();
        return (loss.ToDouble(), parameters.Gradients.clone());
    }

    /// <summary>The same by the library: two passes over micro-batches.</summary>
    /// <param name="method">The method.</param>
    /// <param name="rows">Pairs.</param>
    /// <param name="split">Splits the rows that are trained on.</param>
    /// <param name="settings">How the gradient is computed.</param>
    /// <param name="workers">By how many workers.</param>
    public static (BatchLoss Loss, PreferenceSums Sums, Tensor Gradient) TwoPasses(
        string method, IReadOnlyList<TokenExample> rows, Func<IReadOnlyList<TokenExample>, IReadOnlyList<IReadOnlyList<TokenExample>>> split, GradientSettings? settings = null, int workers = 1)
    {
        using Gpt2Model model = Ragged.Model(), reference = Reference();
        using BatchGradient gradient = new(model, settings);
        PreferenceObjective objective = new(Methods[method]);
        objective.MeasureReference(new RowScorer(reference), rows.Where(row => row.HasTargets), rows.Count, CancellationToken.None);
        FirstPass first = new(PreferenceObjective.WholePairs(rows));
        (IReadOnlyList<TokenExample> trained, IReadOnlyList<TokenExample> others) = objective.Part(first.Rows);
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = split(trained);
        foreach (IReadOnlyList<IReadOnlyList<TokenExample>> part in new[] { microBatches, [.. others.Chunk(2)] })
            first.Set(part, gradient.ComputeLogProbabilities(part, workers, 0, CancellationToken.None));
        PreferenceStep step = objective.Weigh(first);
        BatchLoss loss = gradient.Accumulate([.. microBatches.Select(step.Apply)], workers);
        return (loss, step.Sums, gradient.Parameters.Gradients.clone());
    }

    /// <summary>The rows in any order, in pieces of any size.</summary>
    public static IReadOnlyList<IReadOnlyList<TokenExample>> Anyhow(IReadOnlyList<TokenExample> rows, int seed)
    {
        Random random = new(seed);
        TokenExample[] shuffled = [.. rows];
        random.Shuffle(shuffled);
        List<IReadOnlyList<TokenExample>> microBatches = [];
        for (int start = 0, size; start < shuffled.Length; start += size)
        {
            size = random.Next(1, shuffled.Length - start + 1);
            microBatches.Add(shuffled[start..(start + size)]);
        }
        return microBatches;
    }

    private static Tensor LogProbabilities(Gpt2Model model, IReadOnlyList<TokenExample> rows)
    {
        (Tensor ids, Tensor targets) = Ragged.Pad(rows);
        Tensor logs = model.call(ids).log_softmax(-1);                                                                     // [B,T,V]
        Tensor counted = targets.ne(TokenExample.IgnoredTarget);
        return (logs.gather(-1, targets.clamp(min: 0).unsqueeze(-1)).squeeze(-1) * counted).sum(1);                        // [B]
    }
}
