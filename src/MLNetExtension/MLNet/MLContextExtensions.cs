using System.Runtime.CompilerServices;
using MLNetExtension;

namespace Microsoft.ML;

/// <summary>Adds causal language modeling to <see cref="MLContext"/>.</summary>
public static class MLContextExtensions
{
    private static readonly ConditionalWeakTable<MLContext, CausalLanguageModelingCatalog> Catalogs = [];

    extension(MLContext mlContext)
    {
        /// <summary>Training, evaluating and using causal language models.</summary>
        /// <remarks>Using it also makes saved language models loadable in this context.</remarks>
        public CausalLanguageModelingCatalog CausalLanguageModeling
        {
            get
            {
                ArgumentNullException.ThrowIfNull(mlContext);
                return Catalogs.GetValue(mlContext, static context => new CausalLanguageModelingCatalog(context));
            }
        }
    }
}
