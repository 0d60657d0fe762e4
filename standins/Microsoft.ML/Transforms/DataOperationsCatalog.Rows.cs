using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Choosing rows of a view and ordering them anew.</summary>
public sealed partial class DataOperationsCatalog
{
    public IDataView FilterRowsByColumn(IDataView input, string columnName, double lowerBound = double.NegativeInfinity,
        double upperBound = double.PositiveInfinity)
    {
        _env.CheckValue(input, nameof(input));
        _env.CheckNonEmpty(columnName, nameof(columnName));
        _env.CheckParam(lowerBound < upperBound, nameof(upperBound), "Must be less than lowerBound");
        DataViewSchema.Column column = input.Schema[columnName];
        if (column.Type is not NumberDataViewType)
            throw _env.ExceptSchemaMismatch(nameof(columnName), "filter", columnName, "number", column.Type.ToString());
        _env.CheckUserArg(TextValues.IsReal(column.Type.RawType), "Column", $"Column '{columnName}' does not have compatible type");
        return new RowFilter(_env, input, [column], row =>
        {
            Func<IEnumerable<double>> read = RowFilter.RealsOf(row, column);
            return () => read().Single() is double value && lowerBound <= value && value < upperBound;
        });
    }

    public IDataView FilterRowsByMissingValues(IDataView input, params string[] columns)
    {
        _env.CheckValue(input, nameof(input));
        _env.CheckUserArg(columns is { Length: > 0 }, nameof(columns));
        List<DataViewSchema.Column> chosen = [];
        foreach (string name in columns)
        {
            DataViewSchema.Column column = input.Schema.GetColumnOrNull(name) ?? throw _env.ExceptParam("Columns", $"Source column '{name}' not found");
            _env.CheckUserArg(!chosen.Any(other => other.Index == column.Index), "Columns", $"Source column '{name}' specified multiple times");
            Type item = ((column.Type as VectorDataViewType)?.ItemType ?? column.Type).RawType;
            _env.CheckUserArg(TextValues.IsReal(item), "Columns",
                $"Column '{name}' has type {column.Type} which does not support missing values, so we cannot filter on them");
            chosen.Add(column);
        }
        return new RowFilter(_env, input, chosen, row =>
        {
            Func<IEnumerable<double>>[] reads = [.. chosen.Select(column => RowFilter.RealsOf(row, column))];
            return () => !reads.Any(read => read().Any(double.IsNaN));
        });
    }

    public IDataView ShuffleRows(IDataView input, int? seed = null, int shufflePoolSize = 1000, bool shuffleSource = true)
    {
        _env.CheckValue(input, nameof(input));
        _env.CheckUserArg(shufflePoolSize > 0, nameof(shufflePoolSize), "Must be positive");
        return new ShuffledView(_env, input, seed, shufflePoolSize, shuffleSource);
    }

    public IDataView SkipRows(IDataView input, long count)
    {
        _env.CheckValue(input, nameof(input));
        _env.CheckUserArg(count > 0, nameof(count), "Must be greater than zero.");
        return new RowRange(_env, input, skip: count, take: long.MaxValue);
    }

    public IDataView TakeRows(IDataView input, long count)
    {
        _env.CheckValue(input, nameof(input));
        _env.CheckUserArg(count > 0, nameof(count), "Must be greater than zero.");
        return new RowRange(_env, input, skip: 0, take: count);
    }

    public TrainTestData TrainTestSplit(IDataView data, double testFraction = 0.1, string samplingKeyColumnName = null, int? seed = null)
    {
        _env.CheckValue(data, nameof(data));
        _env.CheckParam(0 < testFraction && testFraction < 1, nameof(testFraction), "Must be between 0 and 1 exclusive");
        SplitColumn split = new(_env, data, samplingKeyColumnName, seed ?? ((IHostEnvironmentInternal)_env).Seed);
        return new TrainTestData(split.Filter(share => share >= testFraction), split.Filter(share => share < testFraction));
    }

    public IReadOnlyList<TrainTestData> CrossValidationSplit(IDataView data, int numberOfFolds = 5, string samplingKeyColumnName = null, int? seed = null)
    {
        _env.CheckValue(data, nameof(data));
        _env.CheckParam(numberOfFolds > 1, nameof(numberOfFolds), "Must be more than 1");
        SplitColumn split = new(_env, data, samplingKeyColumnName, seed ?? ((IHostEnvironmentInternal)_env).Seed);
        return [.. Enumerable.Range(0, numberOfFolds).Select(fold => new TrainTestData(split.Filter(share => !IsIn(fold, share)), split.Filter(share => IsIn(fold, share))))];

        // Both bounds belong to a fold, as in the genuine package.
        bool IsIn(int fold, double share) => (double)fold / numberOfFolds <= share && share <= (double)(fold + 1) / numberOfFolds;
    }

    public struct TrainTestData
    {
        public readonly IDataView TrainSet;
        public readonly IDataView TestSet;

        internal TrainTestData(IDataView trainSet, IDataView testSet)
        {
            TrainSet = trainSet;
            TestSet = testSet;
        }
    }
}
