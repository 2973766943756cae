using Kimi.CommandLine;

return await ErrorBoundary.RunAsync(args);
