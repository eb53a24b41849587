"""A deterministic fault simulator: whole histories of Waybill, from a seed, and what must hold.

scheduler    virtual time; Lambdas and clients as strands, of which one runs at a time
threads      a Lambda's thread pools as strands of that Lambda
expressions  DynamoDB's condition and update expressions
dynamo       DynamoDB in memory, with what each item was lately
faults       what goes wrong, and how often
boundary     the SDK's client of DynamoDB: where calls take time, fail, and get lost
gateway      API Gateway's @connections, and the sockets at its other end
queue        SQS, and the Lambda that it feeds
town         Waybill, wired as in production, in the middle of all that
people       customers, couriers, kitchens, the bank, the back office; their phones
positions    phones that hold their own positions, and miss nothing
history      what happened
checks       what must hold of every history, each a sentence
runner       one seed after another; `python -m tests.simulation`
"""
