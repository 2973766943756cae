namespace KimiLinear.Backends;

internal sealed unsafe partial class CpuBackend<TSimd, TVector>
{
    private bool UsesIntegers => _forms.AttentionArithmetic == AttentionArithmetic.Int16 && TSimd.Width > 1;

    private bool AbsorbsIntegers(int tokenCount, int cachedTokens) =>
        UsesIntegers && !PrefersExpanded(tokenCount, cachedTokens);

    // All sequences that absorb in integers, in groups of bounded size.
    private void AttendAbsorbed(in AttentionJob source)
    {
        AbsorbedGroup group = _attention.Absorbed;
        group.Clear();
        for (int sequence = 0; sequence < source.Batch.SequenceCount; sequence++)
        {
            int tokenCount = source.Batch.TokenCountOf(sequence);
            if (!AbsorbsIntegers(tokenCount, source.Batch.CachedTokens(sequence)))
            {
                continue;
            }

            for (int token = 0; token < tokenCount;)
            {
                int room = group.TokensLeft(Config.LatentHeadCount);
                if (room == 0)
                {
                    AttendGroup(source);
                    continue;
                }

                int position = source.Batch.CachedTokens(sequence) + token;
                int count = Math.Min(Math.Min(room, tokenCount - token), AbsorbedGroup.TokensAlike(position));
                long row = source.Batch.Offset(sequence) + token;
                AbsorbedRun run = new()
                {
                    PageTable = source.Batch.PageTable(sequence),
                    CachedTokens = position,
                    TokenCount = count,
                    Queries = source.Projected + (row * source.ProjectionDim),
                    Output = source.Output + (row * Config.LatentHeadCount * Config.LatentValueDim),
                };
                group.Add(run, source.Cache.Layout, Config.LatentHeadCount);
                token += count;
            }
        }

        if (group.RunCount > 0)
        {
            AttendGroup(source);
        }
    }

    private void AttendGroup(in AttentionJob source)
    {
        AbsorbedGroup group = _attention.Absorbed;
        group.Reserve(source.Cache.Layout);
        AbsorbedJob job = new() { Source = source, Group = group, Stage = AbsorbedStage.Keys };
        long projections = group.RowCount * (long)Config.LatentRank * Config.QkNopeHeadDim;
        Run(ref job, projections);
        job.Stage = AbsorbedStage.Pages;
        Run(ref job, group.Multiplications);
        job.Stage = AbsorbedStage.Values;
        Run(ref job, projections);
        group.Clear();
    }

    private enum AbsorbedStage
    {
        Keys,
        Pages,
        Values,
    }

    /// <summary>One stage of a group: by heads, by pages and, if these are few, by heads as well, and by heads again.</summary>
    private struct AbsorbedJob : IParallelJob
    {
        // So many that one more or less does not matter.
        private const int UnitsPerWorker = 4;

        public AttentionJob Source;
        public AbsorbedGroup Group;
        public AbsorbedStage Stage;

        public readonly void Execute(int worker, int workerCount)
        {
            CpuBackend<TSimd, TVector> backend = Source.Backend;
            AbsorbedIntegers<TSimd, TVector> attention = new()
            {
                Config = backend.Config,
                KeyValueUp = Source.KeyValueUp,
                Cache = Source.Cache,
                LatentLayer = Source.LatentLayer,
                Group = Group,
                QueryStride = Source.ProjectionDim,
                Scratch = backend._workerScratch[worker],
                Panel = backend._panels[worker],
                PageScratch = backend._attention.Pages[worker],
            };
            if (Stage != AbsorbedStage.Pages)
            {
                ExecuteHeads(attention, workerCount);
                return;
            }

            // Few units are divided by rows as well, each of which is a softmax of its own.
            int parts = Group.UnitCount < UnitsPerWorker * workerCount ? workerCount : 1;
            (int firstPart, int endPart) = WorkSplit.Units(Group.UnitCount * parts, worker, workerCount);
            for (int index = 0; index < Group.RunCount; index++)
            {
                ref readonly AbsorbedRun run = ref Group.Run(index);
                for (int unit = 0; unit < run.UnitCount; unit++)
                {
                    int part = (run.FirstUnit + unit) * parts;
                    (int row, int endRow) = AbsorbedGroup.Rows(
                        run, Math.Clamp(firstPart - part, 0, parts), Math.Clamp(endPart - part, 0, parts), parts);
                    attention.AttendUnit(run, unit, row, endRow);
                }
            }
        }

        // A unit's heads are done for all runs, which then read their weights from cache as far as they fit; heads that follow each
        // other are read in one stream.
        private readonly void ExecuteHeads(AbsorbedIntegers<TSimd, TVector> attention, int workerCount)
        {
            WorkUnits units = new(attention.Config.LatentHeadCount, smallest: 1, workerCount);
            while (true)
            {
                (int start, int end) = units[Source.Backend._team.Claim()];
                if (start == end)
                {
                    return;
                }

                for (int index = 0; index < Group.RunCount; index++)
                {
                    if (Stage == AbsorbedStage.Keys)
                    {
                        attention.AbsorbKeys(Group.Run(index), start, end);
                    }
                    else
                    {
                        attention.ProjectValues(Group.Run(index), start, end);
                    }
                }
            }
        }
    }
}
