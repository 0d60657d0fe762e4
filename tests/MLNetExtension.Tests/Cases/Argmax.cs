using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Cases;

/// <summary>The count of hits by torch's own argmax of whole logits, row by row.</summary>
internal static class Argmax
{
    /// <summary>Targets whose id has the largest logit, each times the weight of its row.</summary>
    public static double CorrectCount(IReadOnlyList<TokenExample> batch)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Gpt2Model model = Ragged.Model();
        double correct = 0;
        foreach (TokenExample row in batch)
        {
            long[] likeliest = model.call(tensor([.. row.Ids.Select(id => (long)id)], [1, row.Length]))[0].argmax(1).data<long>().ToArray();    // [T]
            correct += row.Weight * Enumerable.Range(0, row.Length).Count(t => row.Targets[t] == likeliest[t]);
        }
        return correct;
    }
}
