using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Reports;

/// <summary>
/// The floating-point operations of a model, by the usual count (Chowdhery et al. 2022, "PaLM", appendix B): 6 for each weight that multiplies a position and is trained, 4 where it is frozen, 2 where no gradient passes it, and 12
/// for each position attended to and each width of a head. What a system computes beyond that (padding, recomputation, the head where there is no target) or leaves out (half of causal attention) does not count.
/// </summary>
/// <param name="PerPosition">Operations of a position, without attention.</param>
/// <param name="PerPair">Operations of attention, of a position and one that it attends to; all of a row count.</param>
/// <param name="PerTarget">Operations of the head, which computes targets alone; where the model has no head of its own, they are in those of a position.</param>
internal sealed record ModelFlops(double PerPosition, double PerPair, double PerTarget)
{
    /// <summary>Counts those of a model.</summary>
    /// <param name="model">The model; which of its parameters are trained, they say themselves.</param>
    /// <param name="trains">Whether there is a backward pass; else rows are scored.</param>
    public static ModelFlops Of(CausalLanguageModel model, bool trains = true)
    {
        if (model.HeadWeight is not { } head)
            return new ModelFlops(OfPlainModule(model, trains), 0, 0);
        IReadOnlyList<TransformerBlock> blocks = model.Blocks;
        bool embeds = model.EmbeddingTables.Any(table => table.requires_grad);
        int first = !trains ? blocks.Count : embeds ? 0 : blocks.TakeWhile(block => !block.parameters().Any(parameter => parameter.requires_grad)).Count();
        double perPosition = 0, perPair = 0;
        for (int i = 0; i < blocks.Count; i++)
        {
            perPosition += OfBlock(blocks[i], isPassedBack: i >= first);
            perPair += (i >= first ? 12 : 4) * (double)blocks[i].AttentionWidth;
        }
        bool headIsPassed = trains && (first < blocks.Count || head.requires_grad);
        return new ModelFlops(perPosition, perPair, head.numel() * (double)Operations(head, headIsPassed));
    }

    /// <summary>Counts those of a row.</summary>
    /// <param name="positions">T, without padding.</param>
    /// <param name="targets">Its targets.</param>
    public double OfRow(int positions, int targets) => positions * (PerPosition + PerPair * positions) + targets * PerTarget;

    /// <summary>Counts those of a batch; rows without a target are not computed.</summary>
    public double OfBatch(IReadOnlyList<TokenExample> rows) => rows.Where(row => row.HasTargets).Sum(row => OfRow(row.Length, row.TargetCount));

    // Of the experts a position passes through some. Biases and norms are not worth counting.
    private static double OfBlock(TransformerBlock block, bool isPassedBack)
    {
        double sum = 0;
        var mixtures = block.named_modules().Where(pair => pair.module is MixtureOfExperts).Select(pair => (Prefix: $"{pair.name}.experts.", ((MixtureOfExperts)pair.module).ActiveShare)).ToList();
        foreach ((string name, Parameter weight) in block.named_parameters().Where(pair => pair.parameter.dim() >= 2))
        {
            double share = mixtures.Where(mixture => name.StartsWith(mixture.Prefix, StringComparison.Ordinal)).Select(mixture => mixture.ActiveShare).FirstOrDefault(1);
            sum += share * weight.numel() * Operations(weight, isPassedBack);
        }
        return sum;
    }

    // Tables that are looked up multiply nothing; where no other matrix has a row for every token, the embedding is the head as well. What positions do to one another is not known.
    private static double OfPlainModule(CausalLanguageModel model, bool trains)
    {
        HashSet<nint> tables = [.. model.modules().OfType<Embedding>().Select(module => module.weight!.Handle)];
        Parameter[] weights = [.. model.parameters().Where(parameter => parameter.dim() >= 2)];
        bool hasHead = weights.Any(weight => !tables.Contains(weight.Handle) && weight.shape[0] == model.VocabularySize);
        return weights
            .Where(weight => !tables.Contains(weight.Handle) || (!hasHead && weight.shape[0] == model.VocabularySize))
            .Sum(weight => weight.numel() * (double)Operations(weight, trains));
    }

    private static int Operations(Tensor weight, bool isPassedBack) => !isPassedBack ? 2 : weight.requires_grad ? 6 : 4;
}
